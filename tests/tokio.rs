//! The tokio adapter over real sockets.
#![cfg(all(feature = "tokio", feature = "handshake"))]

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sansocket::handshake::client::Request;
use sansocket::handshake::server::Acceptance;
use sansocket::handshake::{BuildError, Limits, Rejection, RequestError, ResponseError};
use sansocket::tokio::{
    AcceptError, ConnectError, Connector, Error, Incoming, PendingRequest, accept, connect,
    read_request,
};
use sansocket::{
    Chunk, CloseCode, CloseFrame, CloseOutcome, Config, Data, Delivery, Event, Message,
    ProtocolError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<(), Failure>;

/// Serves one connection; gives the URI.
async fn listen<F, T>(
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> Result<(String, JoinHandle<Result<T, Failure>>), Failure>
where
    F: Future<Output = Result<T, Failure>> + Send,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("ws://{}/chat?room=1", listener.local_addr()?);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        serve(stream).await
    });
    Ok((uri, server))
}

/// A server that echoes on one connection, and its URI.
async fn echo_server() -> Result<(String, JoinHandle<Outcome>), Failure> {
    listen(|stream| async {
        let mut server = accept(stream).await?;
        while let Some(message) = server.recv().await? {
            server.feed(message).await?;
        }
        Ok(())
    })
    .await
}

async fn valid_request(stream: TcpStream) -> Result<PendingRequest<TcpStream>, Failure> {
    match read_request(stream, Limits::new()).await? {
        Incoming::Request(pending) => Ok(pending),
        Incoming::Refused(pending) => Err(pending.refusal().error().clone().into()),
    }
}

/// The bytes alone.
async fn raw(uri: &str) -> Result<TcpStream, Failure> {
    let address = uri.trim_start_matches("ws://").split('/').next();
    Ok(TcpStream::connect(address.ok_or("no address")?).await?)
}

#[tokio::test]
async fn messages_of_all_sizes_are_echoed_up_to_the_closing_handshake() -> Outcome {
    let (uri, server) = echo_server().await?;
    let mut client = connect(&uri).await?;
    for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let message = Message::from(vec![7; size]);
        client.send(message.clone()).await?;
        assert_eq!(client.recv().await?, Some(message));
        let text = Message::from("é".repeat(size / 2));
        client.send(text.clone()).await?;
        assert_eq!(client.recv().await?, Some(text));
    }
    client.close(CloseCode::NORMAL).await?;
    assert_eq!(client.recv().await?, None);
    let frame = CloseFrame::new(CloseCode::NORMAL, "");
    let outcome = client.connection().outcome();
    assert_eq!(outcome, Some(&CloseOutcome::Clean(Some(frame))));
    server.await?
}

#[tokio::test]
async fn it_is_a_stream_and_a_sink() -> Outcome {
    let (uri, server) = echo_server().await?;
    let client = connect(&uri).await?;
    let (mut sink, mut stream) = StreamExt::split(client);
    let sender = tokio::spawn(async move {
        for n in 0..1000 {
            sink.send(Message::from(n.to_string())).await?;
        }
        sink.close().await
    });
    for n in 0..1000 {
        let message = stream.next().await.ok_or("no message")??;
        assert_eq!(message, n.to_string().into());
    }
    assert!(stream.next().await.is_none());
    sender.await??;
    server.await?
}

#[tokio::test]
async fn a_server_decides_on_a_request_as_late_as_it_likes() -> Outcome {
    let (uri, server) = listen(|stream| async {
        let pending = valid_request(stream).await?;
        assert!(pending.stream().peer_addr()?.ip().is_loopback());
        let request = pending.request();
        assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
        assert_eq!(request.headers().get("x-token"), Some("secret"));
        // Somebody else is asked.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let acceptance = Acceptance::new()
            .subprotocol("superchat")
            .header("X-Server", "seven");
        let mut server = pending.accept(acceptance, Config::new()).await?;
        server.send("welcome").await?;
        assert_eq!(server.recv().await?, Some("thanks".into()));
        server.close(CloseCode::GOING_AWAY).await?;
        assert_eq!(server.recv().await?, None);
        Ok(())
    })
    .await?;
    let request = Request::new(uri.parse()?)
        .subprotocol("chat")
        .subprotocol("superchat")
        .header("X-Token", "secret");
    let (mut client, response) = Connector::new().connect(request).await?;
    assert_eq!(response.subprotocol(), Some("superchat"));
    assert_eq!(response.headers().get("x-server"), Some("seven"));
    assert_eq!(client.recv().await?, Some("welcome".into()));
    client.send("thanks").await?;
    assert_eq!(client.recv().await?, None);
    let outcome = client.connection().outcome().ok_or("no outcome")?;
    assert_eq!(outcome.code(), 1001);
    server.await?
}

#[tokio::test]
async fn frames_sent_together_with_the_request_are_not_lost() -> Outcome {
    let (uri, server) = listen(|stream| async {
        let pending = valid_request(stream).await?;
        let mut server = pending.accept(Acceptance::new(), Config::new()).await?;
        Ok(server.recv().await?)
    })
    .await?;
    let mut client = raw(&uri).await?;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let frame = b"\x81\x82\0\0\0\0hi";
    client
        .write_all(&[request.as_bytes(), frame].concat())
        .await?;
    assert_eq!(server.await??, Some("hi".into()));
    Ok(())
}

#[tokio::test]
async fn a_rejection_comes_with_its_status_headers_and_body() -> Outcome {
    let (uri, server) = listen(|stream| async {
        let pending = valid_request(stream).await?;
        let rejection = Rejection::new(401)
            .header("WWW-Authenticate", "Basic")
            .body("text/plain", "x".repeat(10_000));
        Ok(pending.reject(rejection).await?)
    })
    .await?;
    match connect(&uri).await {
        Err(ConnectError::Response(ResponseError::Refused(response))) => {
            assert_eq!(response.status(), 401);
            assert_eq!(response.headers().get("www-authenticate"), Some("Basic"));
            assert_eq!(response.body(), "x".repeat(10_000).as_bytes());
        }
        other => panic!("{other:?}"),
    }
    server.await?
}

#[tokio::test]
async fn an_ordinary_request_gets_an_ordinary_answer() -> Outcome {
    let get = "GET /chat HTTP/1.1\r\nHost: a\r\n\r\n";
    // What the adapter answers by itself.
    let (uri, server) = listen(|stream| async {
        match accept(stream).await {
            Err(AcceptError::Request(error)) => Ok(error),
            other => panic!("{other:?}"),
        }
    })
    .await?;
    let mut client = raw(&uri).await?;
    client.write_all(get.as_bytes()).await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(answer.contains("Sec-WebSocket-Version: 13\r\n"), "{answer}");
    drop(client);
    assert_eq!(server.await??, RequestError::NotAnUpgrade);

    // A page of the application's, larger than what the system takes at once.
    let (uri, server) = listen(|stream| async {
        match read_request(stream, Limits::new()).await? {
            Incoming::Request(_) => panic!("a request for a WebSocket"),
            Incoming::Refused(pending) => {
                assert_eq!(pending.refusal().error(), &RequestError::NotAnUpgrade);
                let page = Rejection::new(200).body("text/html", vec![b'x'; 8 << 20]);
                Ok(pending.respond_with(page).await?)
            }
        }
    })
    .await?;
    let mut client = raw(&uri).await?;
    client.write_all(get.as_bytes()).await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    drop(client);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.len() > 8 << 20);
    assert!(answer.ends_with(&"x".repeat(8 << 10)));
    server.await?
}

#[tokio::test]
async fn an_acceptance_that_the_client_did_not_ask_for_is_an_error() -> Outcome {
    let (uri, server) = listen(|stream| async {
        let pending = valid_request(stream).await?;
        let acceptance = Acceptance::new().subprotocol("unasked");
        match pending.accept(acceptance, Config::new()).await {
            Err(AcceptError::Build(error)) => Ok(error),
            other => panic!("{other:?}"),
        }
    })
    .await?;
    assert!(matches!(connect(&uri).await, Err(ConnectError::Io(_))));
    assert_eq!(server.await??, BuildError::SubprotocolNotOffered);
    Ok(())
}

#[tokio::test]
async fn chunks_are_delivered_while_the_message_is_still_on_its_way() -> Outcome {
    let (uri, server) = listen(|stream| async {
        let mut server = accept(stream).await?;
        for part in ["Hel", "lo, ", "world"] {
            server.feed_chunk(Chunk::text(part)).await?;
            server.flush().await?;
            // The next part waits for the answer to this one.
            assert_eq!(server.recv().await?, Some(part.into()));
        }
        server.feed_chunk(Chunk::text("!").last()).await?;
        server.flush().await?;
        assert_eq!(server.recv().await?, None);
        Ok(())
    })
    .await?;
    let config = Config::new().delivery(Delivery::Chunks);
    let connector = Connector::new().config(config);
    let (mut client, _) = connector.connect(Request::new(uri.parse()?)).await?;
    let mut text = String::new();
    loop {
        let part = match client.recv_event().await? {
            Some(Event::Chunk(Chunk {
                data: Data::Text(part),
                last,
            })) => {
                text.push_str(part);
                if last {
                    break;
                }
                part.to_owned()
            }
            other => panic!("{other:?}"),
        };
        client.send(part).await?;
    }
    assert_eq!(text, "Hello, world!");
    client.close(None).await?;
    assert_eq!(client.recv().await?, None);
    server.await?
}

#[tokio::test]
async fn a_reader_that_has_more_for_later_is_sent_on_as_it_comes() -> Outcome {
    let (uri, server) = listen(|stream| async {
        let mut server = accept(stream).await?;
        Ok(server.recv().await?)
    })
    .await?;
    let mut client = connect(&uri).await?;
    let (mut far, mut near) = tokio::io::duplex(10);
    let writes = tokio::spawn(async move {
        for _ in 0..100 {
            far.write_all(b"some bytes").await?;
            tokio::task::yield_now().await;
        }
        Ok::<_, Failure>(())
    });
    assert_eq!(client.send_from(&mut near).await?, 1000);
    writes.await??;
    let message = b"some bytes".repeat(100);
    assert_eq!(server.await??, Some(message.into()));
    Ok(())
}

#[tokio::test]
async fn a_violation_is_an_error_on_this_side_and_a_close_frame_on_the_other() -> Outcome {
    let (uri, server) = listen(|stream| async {
        let mut server = accept(stream).await?;
        assert_eq!(server.recv().await?, Some("good".into()));
        for _ in 0..3 {
            let error = server.recv().await.unwrap_err();
            assert!(
                matches!(error, Error::Protocol(ProtocolError::InvalidUtf8)),
                "{error:?}"
            );
        }
        Ok(())
    })
    .await?;
    let mut client = connect(&uri).await?;
    client.send("good").await?;
    // What only a wrong client sends.
    let (mut stream, connection, rx) = client.into_parts();
    stream.write_all(b"\x81\x81\0\0\0\0\xFF").await?;
    let mut client = sansocket::tokio::WebSocket::with_received(stream, connection, rx);
    match client.recv_event().await? {
        Some(Event::Close(Some(frame))) => {
            assert_eq!(frame.code(), CloseCode::INVALID_DATA);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(client.recv().await?, None);
    server.await?
}

#[tokio::test]
async fn a_stream_that_ends_without_a_closing_handshake_is_lost() -> Outcome {
    let (uri, server) = listen(|stream| async { Ok(accept(stream).await?) }).await?;
    let mut client = connect(&uri).await?;
    drop(server.await??);
    let error = client.recv().await.unwrap_err();
    assert!(
        matches!(error, Error::Ended(CloseOutcome::Lost)),
        "{error:?}"
    );
    assert!(client.send("late").await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_an_error() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    drop(listener);
    match connect(&uri).await {
        Err(ConnectError::Io(error)) => {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        }
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[cfg(not(feature = "rustls-no-provider"))]
#[tokio::test]
async fn a_secure_uri_without_tls_is_an_error_before_anything_is_sent() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("wss://{}/", listener.local_addr()?);
    assert!(matches!(connect(&uri).await, Err(ConnectError::Secure)));
    let accepted = tokio::time::timeout(Duration::from_millis(50), listener.accept());
    assert!(accepted.await.is_err());
    Ok(())
}
