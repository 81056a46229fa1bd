//! The futures-io adapter over real sockets, on async-io's reactor and without another runtime.
#![cfg(all(feature = "futures-io", feature = "handshake"))]

use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_io::{Async, Timer, block_on};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::future::join;
use futures_util::{SinkExt, StreamExt};
use sansocket::futures_io::{
    ConnectError, Error, Incoming, WebSocket, accept, connect, read_request,
};
use sansocket::handshake::client::{Request, Response};
use sansocket::handshake::server::Acceptance;
use sansocket::handshake::{Limits, Rejection, ResponseError};
use sansocket::{
    CloseCode, CloseFrame, CloseOutcome, Config, Delivery, Event, Message, ProtocolError, Timeout,
};

const MS: Duration = Duration::from_millis(1);

type Tcp = Async<TcpStream>;

/// Runs `serve` on the first connection to the address that is given, in a thread of its own.
fn listen<F, T>(serve: impl FnOnce(Tcp) -> F + Send + 'static) -> (u16, JoinHandle<T>)
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let stream = Async::new(listener.accept().unwrap().0).unwrap();
        block_on(serve(stream))
    });
    (port, server)
}

async fn tcp(port: u16) -> Tcp {
    Async::<TcpStream>::connect(([127, 0, 0, 1], port))
        .await
        .unwrap()
}

fn request(port: u16) -> Request {
    let uri = format!("ws://127.0.0.1:{port}/chat?room=1");
    Request::new(uri.parse().unwrap())
}

async fn connect_to(
    port: u16,
    config: Config,
) -> WebSocket<Tcp, impl sansocket::futures_io::Timer> {
    let (client, _) = connect(tcp(port).await, Timer::at, request(port), config)
        .await
        .unwrap();
    client
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<(), Error> {
    let mut server = accept(stream, Timer::at).await.unwrap();
    while let Some(message) = server.recv().await? {
        server.feed(message).await?;
    }
    Ok(())
}

#[test]
fn messages_of_all_sizes_are_echoed_up_to_the_closing_handshake() {
    let (port, server) = listen(echo);
    block_on(async {
        let mut client = connect_to(port, Config::new()).await;
        for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
            let message = Message::from(vec![7; size]);
            client.send(message.clone()).await.unwrap();
            assert_eq!(client.recv().await.unwrap(), Some(message));
            let text = Message::from("é".repeat(size / 2));
            client.send(text.clone()).await.unwrap();
            assert_eq!(client.recv().await.unwrap(), Some(text));
        }
        client.close(CloseCode::NORMAL).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), None);
        let frame = CloseFrame::new(CloseCode::NORMAL, "");
        let outcome = client.connection().outcome();
        assert_eq!(outcome, Some(&CloseOutcome::Clean(Some(frame))));
    });
    server.join().unwrap().unwrap();
}

#[test]
fn a_clean_close_is_soon_over_though_the_stream_ends_no_direction_alone() {
    let start = Instant::now();
    let (port, server) = listen(echo);
    block_on(async {
        let mut client = connect_to(port, Config::new()).await;
        client.close(CloseCode::NORMAL).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), None);
    });
    server.join().unwrap().unwrap();
    let (port, server) = listen(|stream| async {
        let mut server = accept(stream, Timer::at).await.unwrap();
        server.close(CloseCode::GOING_AWAY).await.unwrap();
        server.recv().await
    });
    block_on(async {
        let mut client = connect_to(port, Config::new()).await;
        assert_eq!(client.recv().await.unwrap(), None);
    });
    assert_eq!(server.join().unwrap().unwrap(), None);
    assert!(start.elapsed() < 4000 * MS, "{:?}", start.elapsed());
}

#[test]
fn it_is_a_stream_and_a_sink_and_splits_into_halves() {
    let (port, server) = listen(echo);
    block_on(async {
        let client = connect_to(port, Config::new()).await;
        let (mut receive, mut send) = client.split();
        let sends = async {
            for n in 0..1000 {
                SinkExt::feed(&mut send, Message::from(n.to_string()))
                    .await
                    .unwrap();
            }
            SinkExt::close(&mut send).await.unwrap();
        };
        let receives = async {
            for n in 0..1000 {
                let message = receive.next().await.unwrap().unwrap();
                assert_eq!(message, n.to_string().into());
            }
            assert!(receive.next().await.is_none());
        };
        join(sends, receives).await;
        assert!(receive.reunite(send).is_ok());
    });
    server.join().unwrap().unwrap();
}

#[test]
fn a_server_looks_at_the_request_before_it_accepts() {
    let (port, server) = listen(|stream| async {
        let incoming = read_request(stream, Timer::at, Limits::new()).await;
        let Incoming::Request(pending) = incoming.unwrap() else {
            panic!("not a request");
        };
        assert_eq!(pending.request().resource_name(), "/chat?room=1");
        let acceptance = Acceptance::new().subprotocol("chat");
        let mut server = pending.accept(acceptance, Config::new()).await.unwrap();
        server.send("welcome").await.unwrap();
        server.recv().await.unwrap()
    });
    block_on(async {
        let request = request(port).subprotocol("chat").subprotocol("other");
        let (mut client, response): (_, Response) =
            connect(tcp(port).await, Timer::at, request, Config::new())
                .await
                .unwrap();
        assert_eq!(response.subprotocol(), Some("chat"));
        assert_eq!(client.recv().await.unwrap(), Some("welcome".into()));
        client.close(None).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), None);
    });
    assert_eq!(server.join().unwrap(), None);
}

#[test]
fn a_rejection_comes_with_its_status_headers_and_body() {
    let (port, server) = listen(|stream| async {
        let incoming = read_request(stream, Timer::at, Limits::new()).await;
        let Incoming::Request(pending) = incoming.unwrap() else {
            panic!("not a request");
        };
        let rejection = Rejection::new(503)
            .header("Retry-After", "30")
            .body("text/plain", "x".repeat(3000));
        pending.reject(rejection).await
    });
    let result = block_on(async {
        let stream = tcp(port).await;
        connect(stream, Timer::at, request(port), Config::new()).await
    });
    match result {
        Err(ConnectError::Response(ResponseError::Refused(response))) => {
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers().get("retry-after"), Some("30"));
            assert_eq!(response.body(), "x".repeat(3000).as_bytes());
        }
        other => panic!("{:?}", other.err()),
    }
    server.join().unwrap().unwrap();
}

#[test]
fn a_peer_that_never_answers_the_close_frame_is_let_go_of() {
    // It neither reads nor ends the stream before it is told to.
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let (port, server) = listen(|stream| async move {
        let server = accept(stream, Timer::at).await.unwrap();
        let _ = wait.recv();
        drop(server);
    });
    block_on(async {
        let config = Config::new().close_timeout(100 * MS);
        let mut client = connect_to(port, config).await;
        let start = Instant::now();
        client.close(CloseCode::NORMAL).await.unwrap();
        let error = client.recv().await.unwrap_err();
        assert!(
            matches!(error, Error::Ended(CloseOutcome::TimedOut(Timeout::Close))),
            "{error:?}"
        );
        let elapsed = start.elapsed();
        assert!(elapsed >= 95 * MS && elapsed < 5000 * MS, "{elapsed:?}");
    });
    done.send(()).unwrap();
    server.join().unwrap();
}

#[test]
fn a_client_that_does_not_ask_is_refused_at_the_limit() {
    let (port, server) = listen(|stream| async {
        let limits = Limits::new().timeout(Some(100 * MS));
        match read_request(stream, Timer::at, limits).await.unwrap() {
            Incoming::Request(_) => panic!("a request"),
            Incoming::Refused(pending) => pending.answer().await,
        }
    });
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut answer = [0; 13];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408 ");
    drop(stream);
    server.join().unwrap().unwrap();
}

#[test]
fn a_reader_is_sent_on_and_arrives_in_chunks() {
    let size = 3 << 20;
    let (port, server) = listen(move |stream| async move {
        let incoming = read_request(stream, Timer::at, Limits::new()).await;
        let Incoming::Request(pending) = incoming.unwrap() else {
            panic!("not a request");
        };
        let config = Config::new().delivery(Delivery::Chunks);
        let accepted = pending.accept(Acceptance::new(), config).await;
        let mut server = accepted.unwrap();
        let mut received = 0;
        while let Some(event) = server.recv_event().await.unwrap() {
            match event {
                Event::Chunk(chunk) => {
                    received += chunk.data.as_bytes().len();
                    if chunk.last {
                        break;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        received
    });
    block_on(async {
        let mut client = connect_to(port, Config::new()).await;
        let data = vec![3; size];
        let sent = client.send_from(&data[..]).await.unwrap();
        assert_eq!(sent, size as u64);
    });
    assert_eq!(server.join().unwrap(), size);
}

#[test]
fn a_violation_is_an_error_on_this_side_and_a_close_frame_on_the_other() {
    let (port, server) = listen(|stream| async {
        let mut server = accept(stream, Timer::at).await.unwrap();
        server.recv().await
    });
    block_on(async {
        let mut client = connect_to(port, Config::new()).await;
        // A text, unmasked as no client's is.
        let mut stream = client.stream().get_ref();
        stream.write_all(b"\x81\x02hi").unwrap();
        match client.recv_event().await.unwrap() {
            Some(Event::Close(Some(frame))) => assert_eq!(frame.code(), CloseCode::PROTOCOL_ERROR),
            other => panic!("{other:?}"),
        }
    });
    let error = server.join().unwrap().unwrap_err();
    assert!(
        matches!(error, Error::Protocol(ProtocolError::Unmasked)),
        "{error:?}"
    );
}
