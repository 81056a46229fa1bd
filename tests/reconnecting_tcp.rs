//! The client that connects again, over TCP on loopback.
#![cfg(all(feature = "tokio", feature = "handshake", feature = "policy"))]

use std::net::SocketAddr;
use std::time::Duration;

use sansocket::policy::{Backoff, Reconnect, ReconnectState, Resume};
use sansocket::tokio::{ClientEvent, ReconnectingClient, accept};
use sansocket::{CloseCode, Message};
use tokio::net::TcpListener;
use tokio::time::timeout;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Confirms each message by sending it back, until so many have come; then it dies, after the last one
/// but before it confirms that.
async fn serve(address: SocketAddr, count: usize) -> Result<Vec<String>, Failure> {
    let listener = TcpListener::bind(address).await?;
    let (stream, _) = listener.accept().await?;
    let mut server = accept(stream).await?;
    let mut received = Vec::new();
    while let Some(message) = server.recv().await? {
        let Message::Text(text) = message else {
            return Err("not text".into());
        };
        received.push(text.clone());
        if received.len() == count {
            break;
        }
        server.send(text).await?;
    }
    Ok(received)
}

#[tokio::test]
async fn a_server_that_dies_and_comes_back_gets_all_of_it() -> Result<(), Failure> {
    let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let delays = Backoff::from_os()?
        .initial(Duration::from_millis(10))
        .floor(Duration::from_millis(5))
        .ceiling(Duration::from_millis(20));
    let mut client =
        ReconnectingClient::new(&format!("ws://{address}/"))?.reconnect(Reconnect::new(delays));
    for id in 0..10 {
        client.send_with_id(id, format!("{id}"))?;
    }
    // Nobody is there yet.
    let server = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let first = serve(address, 4).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let second = serve(address, usize::MAX).await?;
        Ok::<_, Failure>((first, second))
    });
    let mut confirmed = Vec::new();
    let mut lost = 0;
    let mut resume = Resume::default();
    let run = async {
        while let Some(event) = client.recv().await {
            match event {
                ClientEvent::Message(Message::Text(text)) => {
                    let id = text.parse()?;
                    assert!(client.confirm(&id) && resume.is_new(&id));
                    confirmed.push(id);
                }
                ClientEvent::Message(other) => return Err(format!("{other:?}").into()),
                ClientEvent::State(ReconnectState::Reconnecting { .. }) => lost += 1,
                ClientEvent::State(_) => {}
            }
            if client.waiting().is_empty() {
                client.close(CloseCode::NORMAL);
            }
        }
        Ok::<_, Failure>(())
    };
    timeout(Duration::from_secs(20), run).await??;
    assert_eq!(confirmed, (0..10).collect::<Vec<_>>());
    assert!(lost >= 2, "{lost}");
    let (first, second) = server.await??;
    let texts = |ids: std::ops::Range<u64>| ids.map(|id| id.to_string()).collect::<Vec<_>>();
    assert_eq!(first, texts(0..4));
    // The one that was not confirmed comes twice; those that were confirmed may have been on their way
    // when the connection was reset.
    let again = second.len().checked_sub(6).ok_or("too few")?;
    assert!((1..=4).contains(&again), "{second:?}");
    assert_eq!(second, texts(10 - second.len() as u64..10));
    Ok(())
}
