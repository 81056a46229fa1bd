//! One message for many connections, through the adapters.
#![cfg(all(feature = "tokio", feature = "std"))]

mod common;

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use common::duplex::{pair, pair_with};
use common::{Side, frames};
use futures_util::FutureExt;
use sansocket::tokio::Error;
use sansocket::{CloseCode, Config, Message, Prepared, SendError, blocking};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::test]
async fn a_room_of_async_connections_gets_it_whole_or_in_halves() -> Outcome {
    for size in [5, 5000, 50_000] {
        let message = Message::from("x".repeat(size));
        let prepared = Prepared::new(message.clone());
        let mut clients = Vec::new();
        for number in 0..10 {
            let (client, mut server) = pair(200_000);
            if number % 2 == 0 {
                server.send_prepared(&prepared).await?;
                clients.push((client, None, Some(server)));
            } else {
                let (receive, mut send) = server.split();
                send.send_prepared(&prepared).await?;
                clients.push((client, Some((receive, send)), None));
            }
        }
        for (client, _halves, _whole) in &mut clients {
            assert_eq!(client.recv().await?, Some(message.clone()));
        }
    }
    Ok(())
}

#[tokio::test]
async fn fed_messages_leave_with_the_flush() -> Outcome {
    let (mut client, mut server) = pair(1000);
    let prepared = Prepared::new("news");
    server.feed_prepared(&prepared).await?;
    server.feed_prepared(&prepared).await?;
    assert!(client.recv().now_or_never().is_none());
    server.flush().await?;
    for _ in 0..2 {
        assert_eq!(client.recv().await?, Some(Message::from("news")));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_room_and_is_queued_whole_or_not_at_all() -> Outcome {
    let (mut client, mut server) = pair_with(64, Config::new(), Config::new().write_limit(300));
    let prepared = Prepared::new(vec![7; 200]);
    let mut taken = 0;
    // Dropped amid the wait, again and again.
    for _ in 0..5 {
        let waiting =
            tokio::time::timeout(Duration::from_millis(1), server.feed_prepared(&prepared));
        if waiting.await.is_ok() {
            taken += 1;
        }
    }
    assert!((1..5).contains(&taken), "{taken} taken");
    let serve = async {
        server.flush().await?;
        server.close(CloseCode::NORMAL).await?;
        while server.recv().await?.is_some() {}
        let refused = server.send_prepared(&prepared).await;
        assert!(matches!(
            refused,
            Err(Error::Command(SendError::Closing(())))
        ));
        Ok::<_, Error>(())
    };
    let receive = async {
        let mut received = 0;
        while let Some(message) = client.recv().await? {
            assert_eq!(message.as_bytes(), prepared.as_bytes());
            received += 1;
        }
        Ok::<_, Error>(received)
    };
    let (served, received) = tokio::join!(serve, receive);
    served?;
    assert_eq!(received?, taken);
    Ok(())
}

#[test]
fn threads_send_it_and_feed_it() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut peer = TcpStream::connect(listener.local_addr()?)?;
    let connection = Side::Server.connection(Config::new());
    let mut server = blocking::WebSocket::new(listener.accept()?.0, connection);
    let prepared = Prepared::new("news");
    server.feed_prepared(&prepared)?;
    assert_eq!(server.connection().queued(), 6);
    server.send_prepared(&prepared)?;
    assert_eq!(server.connection().queued(), 0);
    server.close(CloseCode::NORMAL)?;
    let refused = server.send_prepared(&prepared).unwrap_err();
    assert!(matches!(
        refused,
        blocking::Error::Command(SendError::Closing(()))
    ));
    drop(server);
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes)?;
    let texts: Vec<_> = frames(&bytes)
        .into_iter()
        .map(|(_, payload)| payload)
        .collect();
    assert_eq!(texts[..2], [b"news", b"news"]);
    Ok(())
}
