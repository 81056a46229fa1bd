//! The halves of an async WebSocket: each makes progress alone, in tasks of their own.
#![cfg(all(feature = "tokio", feature = "std"))]

mod common;

use std::future::Future;
use std::time::Duration;

use common::Side;
use common::duplex::{pair, pair_with, raw_client};
use futures_util::{FutureExt, SinkExt, StreamExt};
use sansocket::tokio::{Error, SendHalf, WebSocket};
use sansocket::{
    CloseCode, CloseFrame, CloseOutcome, Config, Connection, Event, Message, SendError,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, yield_now};

/// A lost wake-up fails a test instead of hanging it.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(100);
    tokio::time::timeout(limit, future)
        .await
        .expect("an end to the waiting")
}

/// Sends until the peer's unread bytes block it.
fn send_for_ever(mut send: SendHalf<DuplexStream>) -> JoinHandle<Error> {
    tokio::spawn(async move {
        loop {
            if let Err(error) = send.send(vec![1; 5000]).await {
                return error;
            }
        }
    })
}

/// Lets all other tasks come to rest.
async fn rest() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test]
async fn pongs_leave_though_only_the_receive_half_is_polled() {
    let (server, mut client) = raw_client(4096, Config::new());
    let (mut receive, _send) = server.split();
    client.write_all(&Side::Server.ping(b"?")).await.unwrap();
    let event = receive.recv_event().await.unwrap();
    assert!(matches!(event, Some(Event::Ping(b"?"))));
    assert!(receive.recv().now_or_never().is_none());
    let mut pong = [0; 3];
    soon(client.read_exact(&mut pong)).await.unwrap();
    assert_eq!(&pong, b"\x8A\x01?");
}

#[tokio::test]
async fn the_answer_to_a_close_frame_leaves_though_only_the_receive_half_is_polled() {
    let (server, mut client) = raw_client(4096, Config::new());
    let (mut receive, _send) = server.split();
    let task = tokio::spawn(async move { receive.recv().await });
    let close = Side::Server.close(1000, "bye");
    client.write_all(&close).await.unwrap();
    let mut answer = Vec::new();
    // Up to the end, which is the server's to make.
    soon(client.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"\x88\x02\x03\xE8");
    drop(client);
    assert!(matches!(soon(task).await.unwrap(), Ok(None)));
}

#[tokio::test]
async fn pongs_leave_though_only_the_send_half_is_polled_on() {
    let (server, mut client) = raw_client(4096, Config::new());
    let (mut receive, mut send) = server.split();
    client.write_all(&Side::Server.ping(b"?")).await.unwrap();
    let event = receive.recv_event().await.unwrap();
    assert!(matches!(event, Some(Event::Ping(b"?"))));
    send.flush().await.unwrap();
    let mut pong = [0; 3];
    soon(client.read_exact(&mut pong)).await.unwrap();
    assert_eq!(&pong, b"\x8A\x01?");
}

#[tokio::test]
async fn a_send_that_waits_does_not_stop_the_receive_half() {
    let (server, mut client) = raw_client(4096, Config::new());
    let (mut receive, send) = server.split();
    let sender = send_for_ever(send);
    rest().await;
    assert!(!sender.is_finished());
    for n in 0..1000 {
        let text = n.to_string();
        client.write_all(&Side::Server.text(&text)).await.unwrap();
        let message = soon(receive.recv()).await.unwrap();
        assert_eq!(message, Some(text.into()));
    }
    assert!(!sender.is_finished());
    sender.abort();
}

#[tokio::test]
async fn a_receive_that_waits_does_not_stop_the_send_half() {
    let (mut client, server) = pair(4096);
    let (mut receive, mut send) = server.split();
    let receiver = tokio::spawn(async move { receive.recv().await });
    rest().await;
    for n in 0..1000 {
        let message = Message::from(vec![7; n]);
        let sent = async { soon(send.send(message.clone())).await.unwrap() };
        let ((), received) = tokio::join!(sent, soon(client.recv()));
        assert_eq!(received.unwrap(), Some(message));
    }
    assert!(!receiver.is_finished());
    client.send("wakes it").await.unwrap();
    let message = soon(receiver).await.unwrap().unwrap();
    assert_eq!(message, Some("wakes it".into()));
}

/// Echoes until the end, sending in one task what another one receives.
async fn echo<S>(server: WebSocket<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut receive, mut send) = server.split();
    let (queue, mut queued) = tokio::sync::mpsc::channel(100);
    let sender = tokio::spawn(async move {
        while let Some(message) = queued.recv().await {
            send.send(message).await.unwrap();
        }
    });
    while let Some(message) = receive.recv().await.unwrap() {
        queue.send(message).await.unwrap();
    }
    drop(queue);
    sender.await.unwrap();
}

/// Sends so many messages in one task, and receives their echoes in another.
async fn load<S>(client: WebSocket<S>, messages: usize)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut receive, mut send) = client.split();
    let message = |n: usize| Message::from(vec![n.to_le_bytes()[0]; n % 700]);
    let sender = tokio::spawn(async move {
        for n in 0..messages {
            match n % 3 {
                0 => send.feed(message(n)).await.unwrap(),
                _ => send.send(message(n)).await.unwrap(),
            }
            if n % 100 == 0 {
                send.ping(b"still there?").await.unwrap();
            }
        }
        send.flush().await.unwrap();
        send
    });
    for n in 0..messages {
        let received = receive.recv().await.unwrap();
        assert_eq!(received, Some(message(n)), "{n}");
    }
    let mut send = sender.await.unwrap();
    send.close(CloseCode::NORMAL).await.unwrap();
    assert_eq!(receive.recv().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost_between_halves_in_tasks_of_many_threads() {
    for capacity in [64, 1000, 100_000] {
        let config = Config::new().write_limit(2000);
        let (client, server) = pair_with(capacity, config.clone(), config);
        let server = tokio::spawn(echo(server));
        soon(load(client, 20_000)).await;
        soon(server).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap());
    let (near, (far, _)) = tokio::try_join!(near, listener.accept()).unwrap();
    let client = WebSocket::new(near, Side::Client.connection(Config::new()));
    let server = WebSocket::new(far, Connection::server(Config::new()));
    let server = tokio::spawn(echo(server));
    soon(load(client, 20_000)).await;
    soon(server).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost_between_a_stream_and_a_sink_of_one_websocket() {
    let (client, server) = pair_with(500, Config::new().write_limit(2000), Config::new());
    let server = tokio::spawn(echo(server));
    let (mut sink, mut stream) = StreamExt::split(client);
    let message = |n: usize| Message::from(vec![n.to_le_bytes()[0]; n % 300]);
    let sender = tokio::spawn(async move {
        for n in 0..20_000 {
            match n % 4 {
                0 => sink.send(message(n)).await.unwrap(),
                _ => sink.feed(message(n)).await.unwrap(),
            }
        }
        sink.flush().await.unwrap();
        sink
    });
    for n in 0..20_000 {
        let received = soon(stream.next()).await.unwrap().unwrap();
        assert_eq!(received, message(n), "{n}");
    }
    soon(sender).await.unwrap().close().await.unwrap();
    assert!(soon(stream.next()).await.is_none());
    soon(server).await.unwrap();
}

#[tokio::test]
async fn a_waiting_send_ends_when_the_peer_closes() {
    let (server, mut client) = raw_client(1000, Config::new().write_limit(2000));
    let (mut receive, mut send) = server.split();
    // What fills the queue, and what there is no room for then.
    send.feed(vec![1; 5000]).await.unwrap();
    let sender = tokio::spawn(async move { send.feed("late").await });
    let receiver = tokio::spawn(async move { receive.recv().await });
    rest().await;
    assert!(!sender.is_finished());
    let close = Side::Server.close(1000, "");
    client.write_all(&close).await.unwrap();
    match soon(sender).await.unwrap() {
        Err(Error::Send(SendError::Closing(message))) => assert_eq!(message, "late".into()),
        other => panic!("{other:?}"),
    }
    // What was queued before still leaves, and the answer behind it.
    let mut rest = Vec::new();
    soon(client.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest.len(), 4 + 5000 + 4);
    drop(client);
    assert!(matches!(soon(receiver).await.unwrap(), Ok(None)));
}

#[tokio::test]
async fn a_waiting_send_ends_when_the_peer_breaks_the_protocol() {
    let (server, mut client) = raw_client(1000, Config::new().write_limit(2000));
    let (mut receive, mut send) = server.split();
    send.feed(vec![1; 5000]).await.unwrap();
    let sender = tokio::spawn(async move { send.feed("late").await });
    let receiver = tokio::spawn(async move { receive.recv().await });
    rest().await;
    assert!(!sender.is_finished());
    client.write_all(b"\xFF\xFF").await.unwrap();
    let error = soon(sender).await.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::Send(SendError::Closing(_))),
        "{error:?}"
    );
    drop(client);
    let error = soon(receiver).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error:?}");
}

#[tokio::test]
async fn a_send_whose_message_never_left_is_an_error_when_the_connection_is_lost() {
    // Of two directions the one to the server ends, and the other one stays blocked.
    let (to_server, mut end) = tokio::io::duplex(1000);
    let (from_server, blocked) = tokio::io::duplex(1000);
    let server = WebSocket::new(
        tokio::io::join(to_server, from_server),
        Connection::server(Config::new()),
    );
    let (mut receive, mut send) = server.split();
    let sender = tokio::spawn(async move { (send.send(vec![1; 5000]).await, send.flush().await) });
    let receiver = tokio::spawn(async move { receive.recv().await });
    rest().await;
    assert!(!sender.is_finished());
    end.shutdown().await.unwrap();
    let error = soon(receiver).await.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::Ended(CloseOutcome::Lost)),
        "{error:?}"
    );
    let (sent, flushed) = soon(sender).await.unwrap();
    assert!(matches!(sent, Err(Error::Io(_))), "{sent:?}");
    assert!(matches!(flushed, Err(Error::Io(_))), "{flushed:?}");
    drop(blocked);
}

#[tokio::test]
async fn each_half_goes_on_without_the_other() {
    let (mut client, server) = pair(100);
    let (mut receive, send) = server.split();
    drop(send);
    client.send("to the one that is left").await.unwrap();
    client.ping(b"?").await.unwrap();
    assert!(soon(receive.recv()).await.unwrap().is_some());
    let ends = async { assert_eq!(receive.recv().await.unwrap(), None) };
    let closes = async {
        assert!(matches!(
            client.recv_event().await.unwrap(),
            Some(Event::Pong(b"?"))
        ));
        client.close(CloseCode::NORMAL).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), None);
    };
    soon(async { tokio::join!(ends, closes) }).await;

    let (mut client, server) = pair(100);
    let (receive, mut send) = server.split();
    drop(receive);
    let sends = async {
        for _ in 0..100 {
            send.send(vec![1; 300]).await.unwrap();
        }
        send.close(CloseCode::GOING_AWAY).await.unwrap();
    };
    let receives = async {
        for _ in 0..100 {
            assert!(client.recv().await.unwrap().is_some());
        }
        let frame = CloseFrame::new(CloseCode::GOING_AWAY, "");
        match client.recv_event().await.unwrap() {
            Some(Event::Close(Some(close))) => assert_eq!(close, frame),
            other => panic!("{other:?}"),
        }
    };
    soon(async { tokio::join!(sends, receives) }).await;
}

#[tokio::test]
async fn halves_are_made_whole_again_with_all_they_hold() {
    let (mut client, server) = pair(4096);
    let (mut receive, mut send) = server.split();
    client.feed("one").await.unwrap();
    client.feed("two").await.unwrap();
    client.flush().await.unwrap();
    // Both have been read.
    assert_eq!(receive.recv().await.unwrap(), Some("one".into()));
    send.feed("queued").await.unwrap();
    let mut server = receive.reunite(send).unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("two".into()));
    server.flush().await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some("queued".into()));
    let (receive, send) = server.split();
    let server = send.reunite(receive).unwrap();
    assert_eq!(server.connection().queued(), 0);
}

#[tokio::test]
async fn foreign_halves_stay_apart_and_as_they_were() {
    let ((mut client, server), (mut other_client, other_server)) = (pair(100), pair(100));
    let (receive, mut send) = server.split();
    let (mut other_receive, other_send) = other_server.split();
    let error = receive.reunite(other_send).unwrap_err();
    let (mut receive, mut other_send) = error.into_halves();
    client.send("a").await.unwrap();
    other_client.send("b").await.unwrap();
    assert_eq!(receive.recv().await.unwrap(), Some("a".into()));
    assert_eq!(other_receive.recv().await.unwrap(), Some("b".into()));
    send.send("c").await.unwrap();
    other_send.send("d").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some("c".into()));
    assert_eq!(other_client.recv().await.unwrap(), Some("d".into()));
    assert!(receive.reunite(send).is_ok());
    assert!(other_send.reunite(other_receive).is_ok());
}
