//! Clients that do nothing wrong.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use sansocket::blocking::{Connector, Error, Step, WebSocket};
use sansocket::handshake::client::Request;
use sansocket::{CloseCode, CloseOutcome, Message, SendError};

use crate::PATIENCE;

/// What a client has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) echoes: usize,
    /// How long it has waited for an echo, at the most.
    pub(crate) longest: Duration,
    /// How the connection has closed; `None` if it has not, cleanly.
    pub(crate) close_code: Option<u16>,
}

/// A client that waits for nothing longer than [`PATIENCE`].
fn client(addr: SocketAddr) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, PATIENCE).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let request = Request::new(format!("ws://{addr}/").parse().unwrap());
    let handshake = Connector::new().handshake(request, stream).unwrap();
    match handshake.proceed().unwrap() {
        Step::Done((websocket, _)) => websocket,
        Step::Blocked(_) => panic!("no answer to the request"),
    }
}

/// A text or binary message, for each number another.
fn message(number: usize) -> Message {
    let size = [0, 5, 125, 126, 3000, 70_000][number % 6];
    if number % 2 == 0 {
        Message::from(vec![7; size])
    } else {
        Message::from("é".repeat(size / 2))
    }
}

/// Sends messages, each when the one before has come back, until the server closes the connection.
/// Tells when the server has shown what it needs for that.
pub(crate) fn converse(addr: SocketAddr, is_ready: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut client = client(addr);
    loop {
        let sent = message(seen.echoes);
        let began = Instant::now();
        match client.send(sent.clone()) {
            Ok(()) => {}
            Err(Error::Send(SendError::Closing(_))) => {}
            Err(error) => panic!("after {seen:?}: {error}"),
        }
        match client.recv() {
            Ok(Some(received)) => assert!(received == sent, "after {seen:?}"),
            Ok(None) => break,
            Err(error) => panic!("after {seen:?}, {:?}: {error}", began.elapsed()),
        }
        seen.echoes += 1;
        seen.longest = seen.longest.max(began.elapsed());
        is_ready.store(seen.echoes >= 12, Relaxed);
        thread::sleep(Duration::from_millis(2));
    }
    if let Some(CloseOutcome::Clean(Some(frame))) = client.connection().outcome() {
        seen.close_code = Some(frame.code().get());
    }
    assert!(seen.longest < PATIENCE, "{seen:?}");
    seen
}

/// Connects, gets an echo and closes, over and over; gives how often.
pub(crate) fn come_and_go(addr: SocketAddr, is_over: &AtomicBool) -> usize {
    let mut visits = 0;
    while !is_over.load(Relaxed) {
        let mut client = client(addr);
        let sent = message(visits);
        client.send(sent.clone()).unwrap();
        assert!(client.recv().unwrap() == Some(sent));
        client.close(CloseCode::NORMAL).unwrap();
        assert_eq!(client.recv().unwrap(), None);
        let outcome = client.connection().outcome();
        assert!(outcome.is_some_and(CloseOutcome::is_clean), "{outcome:?}");
        visits += 1;
        thread::sleep(Duration::from_millis(10));
    }
    visits
}
