//! The tokio adapter over real sockets.
#![cfg(all(feature = "tokio", feature = "handshake"))]

use futures_util::{SinkExt, StreamExt};
use sansocket::tokio::{accept, connect};
use sansocket::{CloseCode, CloseFrame, CloseOutcome, Message};
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<(), Failure>;

/// A server that echoes on one connection, and its URI.
async fn echo_server() -> Result<(String, tokio::task::JoinHandle<Outcome>), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut server = accept(stream).await?;
        while let Some(message) = server.recv().await? {
            server.feed(message).await?;
        }
        Ok(())
    });
    Ok((uri, server))
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
