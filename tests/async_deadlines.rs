//! The deadlines of async WebSockets, on a clock that moves when all tasks wait.
#![cfg(all(feature = "tokio", feature = "handshake"))]

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::Side;
use common::duplex::{pair, pair_with, raw_client};
use futures_util::{SinkExt, StreamExt};
use sansocket::handshake::client::Request;
use sansocket::handshake::{Limits, RequestError, ResponseError};
use sansocket::tokio::{ConnectError, Connector, Error, Incoming, accept, read_request};
use sansocket::{CloseCode, CloseFrame, CloseOutcome, Config, Event, State, Timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The runtime's timer counts in milliseconds.
#[track_caller]
fn assert_took(start: Instant, time: Duration) {
    let elapsed = start.elapsed();
    assert!(elapsed >= time && elapsed <= time + 2 * MS, "{elapsed:?}");
}

fn request() -> Request {
    let limits = Limits::new().timeout(Some(3 * SECOND));
    Request::new("ws://localhost/".parse().unwrap()).limits(limits)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_respond_is_waited_for_no_longer_than_the_limit() {
    for response in ["", "HTTP/1.1 101 Switching Protocols\r\n"] {
        let (near, mut far) = duplex(4096);
        far.write_all(response.as_bytes()).await.unwrap();
        let start = Instant::now();
        let result = Connector::new().handshake(request(), near).await;
        let error = result.unwrap_err();
        assert!(
            matches!(error, ConnectError::Response(ResponseError::TimedOut)),
            "{error:?}"
        );
        assert_took(start, 3 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_the_request_is_waited_for_no_longer_than_the_limit() {
    let (near, _far) = duplex(16);
    let start = Instant::now();
    let result = Connector::new().handshake(request(), near).await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, ConnectError::Response(ResponseError::TimedOut)),
        "{error:?}"
    );
    assert_took(start, 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_refusal_is_waited_for_no_longer_than_two_seconds() {
    let (near, mut far) = duplex(4096);
    let head = b"HTTP/1.1 503 Busy\r\nContent-Length: 50\r\n\r\nsorr";
    far.write_all(head).await.unwrap();
    let start = Instant::now();
    let error = Connector::new().handshake(request(), near).await;
    match error.unwrap_err() {
        ConnectError::Response(ResponseError::Refused(refused)) => {
            assert_eq!(refused.body(), b"sorr");
        }
        other => panic!("{other:?}"),
    }
    assert_took(start, 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_ask_is_answered_with_408_at_the_limit() {
    for head in ["", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let (mut near, far) = duplex(4096);
        near.write_all(head.as_bytes()).await.unwrap();
        let start = Instant::now();
        let limits = Limits::new().timeout(Some(3 * SECOND));
        let Incoming::Refused(pending) = read_request(far, limits).await.unwrap() else {
            panic!("a request");
        };
        assert_took(start, 3 * SECOND);
        assert_eq!(pending.refusal().error(), &RequestError::TimedOut);
        let answers = tokio::spawn(pending.answer());
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        // The client has two seconds to end its direction.
        answers.await.unwrap().unwrap();
        assert_took(start, 5 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_does_not_read_is_let_go_of() {
    let (mut near, far) = duplex(20);
    let request = async { near.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await };
    let (request, accepted) = tokio::join!(request, async {
        let start = Instant::now();
        let error = accept(far).await.unwrap_err();
        assert_took(start, 2 * SECOND);
        error
    });
    request.unwrap();
    match accepted {
        sansocket::tokio::AcceptError::Io(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_the_close_frame_is_let_go_of() {
    for side in [Side::Client, Side::Server] {
        let (mut client, mut server) = pair(4096);
        let ours = if side == Side::Client {
            &mut client
        } else {
            &mut server
        };
        let start = Instant::now();
        ours.close(CloseCode::NORMAL).await.unwrap();
        let error = ours.recv().await.unwrap_err();
        assert!(
            matches!(error, Error::Ended(CloseOutcome::TimedOut(Timeout::Close))),
            "{error:?}"
        );
        assert_took(start, 5 * SECOND);
        assert_eq!(ours.connection().state(), State::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_clean_close_a_server_does_not_wait_for_the_end_of_the_stream() {
    let (mut server, mut client) = raw_client(4096, Config::new());
    let close = Side::Server.close(1000, "");
    client.write_all(&close).await.unwrap();
    let start = Instant::now();
    assert_eq!(server.recv().await.unwrap(), None);
    assert_took(start, Duration::ZERO);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"\x88\x02\x03\xE8");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_ends_the_stream_is_let_go_of() {
    let (mut client, server) =
        pair_with(4096, Config::new().close_timeout(7 * SECOND), Config::new());
    let (mut stream, _, _) = server.into_parts();
    stream.write_all(b"\x88\x02\x03\xE8").await.unwrap();
    let start = Instant::now();
    assert_eq!(client.recv().await.unwrap(), None);
    assert_took(start, 7 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_broke_the_protocol_has_time_to_read_why() {
    let (mut server, mut client) = raw_client(4096, Config::new().close_timeout(7 * SECOND));
    client.write_all(b"\xFF\xFF").await.unwrap();
    let start = Instant::now();
    assert!(matches!(server.recv().await, Err(Error::Protocol(_))));
    assert_took(start, 7 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_close_deadline_runs_while_a_write_is_blocked() {
    let config = Config::new().close_timeout(3 * SECOND);
    let (mut server, _client) = raw_client(100, config);
    server.feed(vec![0; 5000]).await.unwrap();
    let start = Instant::now();
    match server.close(CloseCode::NORMAL).await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    }
    assert_took(start, 3 * SECOND);
    let error = server.recv().await.unwrap_err();
    assert!(
        matches!(error, Error::Ended(CloseOutcome::TimedOut(Timeout::Close))),
        "{error:?}"
    );
    assert_took(start, 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_close_deadline_runs_though_only_one_half_is_polled() {
    let config = Config::new().close_timeout(3 * SECOND);
    for only_sends in [true, false] {
        let (server, _client) = raw_client(100, config.clone());
        let (mut receive, mut send) = server.split();
        send.feed(vec![0; 5000]).await.unwrap();
        let start = Instant::now();
        if only_sends {
            match send.close(CloseCode::NORMAL).await {
                Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::TimedOut),
                other => panic!("{other:?}"),
            }
        } else {
            // Queued, and dropped.
            let close = send.close(CloseCode::NORMAL);
            assert!(tokio::time::timeout(MS, close).await.is_err());
            let error = receive.recv().await.unwrap_err();
            assert!(
                matches!(error, Error::Ended(CloseOutcome::TimedOut(Timeout::Close))),
                "{error:?}"
            );
        }
        assert_took(start, 3 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn both_halves_that_wait_end_at_the_close_deadline() {
    let config = Config::new()
        .close_timeout(3 * SECOND)
        .idle_timeout(10 * SECOND);
    let (server, _client) = raw_client(100, config);
    let (mut receive, mut send) = server.split();
    let start = Instant::now();
    let sender = tokio::spawn(async move {
        let result = send.send(vec![0; 5000]).await;
        assert_took(start, 13 * SECOND);
        result
    });
    let error = receive.recv().await.unwrap_err();
    assert_took(start, 13 * SECOND);
    assert!(
        matches!(error, Error::Ended(CloseOutcome::TimedOut(Timeout::Close))),
        "{error:?}"
    );
    let error = sender.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_with_1001() {
    let server = Config::new().idle_timeout(60 * SECOND);
    let (mut client, mut server) = pair_with(4096, Config::new(), server);
    let start = Instant::now();
    let server = tokio::spawn(async move {
        // Messages keep it alive for a while.
        while server.recv().await?.is_some() {}
        Ok::<_, Error>(server.connection().outcome().cloned())
    });
    for _ in 0..3 {
        sleep(40 * SECOND).await;
        client.send("still here").await.unwrap();
    }
    match client.recv_event().await.unwrap() {
        Some(Event::Close(Some(frame))) => assert_eq!(frame.code(), CloseCode::GOING_AWAY),
        other => panic!("{other:?}"),
    }
    assert_took(start, 180 * SECOND);
    assert!(client.recv_event().await.unwrap().is_none());
    let frame = CloseFrame::new(CloseCode::GOING_AWAY, "");
    let outcome = server.await.unwrap().unwrap();
    assert_eq!(outcome, Some(CloseOutcome::Clean(Some(frame))));
    assert_took(start, 180 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_idle_deadline_runs_while_a_send_waits() {
    let config = Config::new()
        .idle_timeout(60 * SECOND)
        .close_timeout(SECOND)
        .write_limit(1000);
    let (mut server, _client) = raw_client(100, config);
    let start = Instant::now();
    server.feed(vec![0; 5000]).await.unwrap();
    match server.feed("late").await {
        Err(Error::Send(error)) => assert_eq!(error.into_message(), "late".into()),
        other => panic!("{other:?}"),
    }
    assert_took(start, 60 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn keep_alive_pings_leave_on_time_and_measure_the_round_trip() {
    let config = Config::new().keep_alive(30 * SECOND, 10 * SECOND);
    let (server, mut client) = raw_client(4096, config);
    let (mut receive, mut send) = server.split();
    let receiver = tokio::spawn(async move { receive.recv().await });
    let start = Instant::now();
    let mut sent_at = Duration::ZERO;
    for round_trip in [300 * MS, 9 * SECOND, Duration::ZERO] {
        let mut ping = [0; 10];
        client.read_exact(&mut ping).await.unwrap();
        assert_eq!(ping[..2], *b"\x89\x08");
        sent_at += 30 * SECOND;
        assert_took(start, sent_at);
        // What the timer rounded up does not add up.
        sent_at = start.elapsed();
        sleep(round_trip).await;
        let pong = Side::Server.frame(sansocket::frame::Opcode::Pong, true, &ping[2..]);
        client.write_all(&pong).await.unwrap();
        tokio::task::yield_now().await;
        let measured = send.with_connection(|connection| connection.round_trip());
        assert_eq!(measured, Some(start.elapsed() - sent_at));
        assert!(start.elapsed() - sent_at <= round_trip + MS);
        sent_at = start.elapsed();
    }
    assert!(!receiver.is_finished());
    receiver.abort();
}

#[tokio::test(start_paused = true)]
async fn a_missing_pong_ends_the_connection() {
    let config = Config::new()
        .keep_alive(30 * SECOND, 10 * SECOND)
        .close_timeout(SECOND);
    let (mut server, mut client) = raw_client(4096, config);
    let start = Instant::now();
    let error = server.recv().await.unwrap_err();
    assert!(
        matches!(error, Error::Ended(CloseOutcome::TimedOut(Timeout::Pong))),
        "{error:?}"
    );
    // The last second is for the client to end the stream.
    assert_took(start, 41 * SECOND);
    drop(server);
    let mut seen = Vec::new();
    client.read_to_end(&mut seen).await.unwrap();
    assert_eq!((seen[0], seen[10]), (0x89, 0x88));
}

#[tokio::test(start_paused = true)]
async fn deadlines_run_while_a_stream_and_a_sink_are_polled() {
    let config = Config::new()
        .keep_alive(30 * SECOND, 10 * SECOND)
        .close_timeout(SECOND);
    let (server, _client) = raw_client(100, config);
    let (mut sink, mut stream) = StreamExt::split(server);
    let start = Instant::now();
    let sender = tokio::spawn(async move { sink.send(vec![0; 5000].into()).await });
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Ended(_)), "{error:?}");
    assert!(stream.next().await.is_none());
    assert!(sender.await.unwrap().is_err());
    assert!(start.elapsed() <= 60 * SECOND, "{:?}", start.elapsed());
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_is_given_up_at_the_connect_timeout() {
    use std::net::{SocketAddr, TcpStream};

    // A listener whose queue is full answers no more.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, 200 * MS) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue has no end");
    }
    let start = Instant::now();
    let request = Request::new(format!("ws://{address}/").parse().unwrap());
    let connector = Connector::new().connect_timeout(4 * SECOND);
    match connector.connect(request).await.unwrap_err() {
        ConnectError::Io(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    }
    assert_took(start, 4 * SECOND);
}

/// A peer that takes 100 bytes each second, and answers nothing.
#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_while_we_only_send_is_alive() {
    let config = Config::new().keep_alive(30 * SECOND, 10 * SECOND);
    let (mut server, mut client) = raw_client(100, config);
    let reader = tokio::spawn(async move {
        let (mut room, mut total) = ([0; 100], 0);
        while total < 20_000 {
            sleep(SECOND).await;
            total += client.read(&mut room).await.unwrap();
        }
        client
    });
    let start = Instant::now();
    server.send(vec![0; 20_000]).await.unwrap();
    assert!(start.elapsed() > 150 * SECOND, "{:?}", start.elapsed());
    assert_eq!(server.connection().state(), State::Open);
    drop(reader.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_ends_a_send() {
    let config = Config::new().keep_alive(30 * SECOND, 10 * SECOND);
    let (mut server, _client) = raw_client(100, config);
    let start = Instant::now();
    let error = server.send(vec![0; 20_000]).await.unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error:?}");
    let outcome = server.connection().outcome();
    assert_eq!(outcome, Some(&CloseOutcome::TimedOut(Timeout::Pong)));
    // And then the time to close.
    assert!(start.elapsed() < 50 * SECOND, "{:?}", start.elapsed());
}
