//! Messages that async WebSockets send from a reader: what waits leaves while the reader waits.
#![cfg(feature = "tokio")]

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sansocket::tokio::WebSocket;
use sansocket::{Config, Connection};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf, duplex};
use tokio::time::timeout;

/// Gives so many bytes at once, and then nothing, not even its end.
struct Slow(usize);

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.0 == 0 {
            return Poll::Pending;
        }
        let n = self.0.min(to.remaining());
        to.put_slice(&vec![7; n]);
        self.0 -= n;
        Poll::Ready(Ok(()))
    }
}

/// A frame of 1000 bytes, header included, through a stream that takes 64 at a time.
#[tokio::test(start_paused = true)]
async fn what_a_slow_peer_was_not_ready_for_leaves_while_the_reader_has_nothing() {
    let (ours, mut theirs) = duplex(64);
    let (_receive, mut send) = WebSocket::new(ours, Connection::server(Config::new())).split();
    let sender = tokio::spawn(async move { send.send_from(Slow(996)).await });
    let mut frame = vec![0; 1000];
    timeout(Duration::from_secs(1), theirs.read_exact(&mut frame))
        .await
        .expect("the chunk is held back")
        .unwrap();
    assert_eq!(frame[..4], [0x02, 126, 3, 228]);
    assert!(!sender.is_finished());
    sender.abort();
}

/// The same of a stream that fails meanwhile: whoever waits for the reader is told.
#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_while_the_reader_has_nothing_ends_the_sending() {
    let (ours, theirs) = duplex(64);
    let mut websocket = WebSocket::new(ours, Connection::server(Config::new()));
    let sender = tokio::spawn(async move { websocket.send_from(Slow(996)).await });
    tokio::task::yield_now().await;
    drop(theirs);
    let result = timeout(Duration::from_secs(1), sender).await;
    result.expect("nobody is told").unwrap().unwrap_err();
}
