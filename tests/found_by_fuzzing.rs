//! What the fuzz targets have found.

use std::time::Duration;

use sansocket::{CloseCode, Config, Connection, ReceiveBuffer, State, Timestamp};

/// "hi" as a text, masked with zeros.
const HI: &[u8] = b"\x81\x82\0\0\0\0hi";

/// Asserts that a message that comes now is dropped.
fn assert_deaf(server: &mut Connection) {
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(HI);
    assert!(matches!(server.receive(&mut rx), Ok(None)));
    assert!(rx.is_empty());
}

#[test]
fn nothing_is_received_behind_the_close_deadline() {
    let mut server = Connection::server(Config::new());
    server.close(CloseCode::NORMAL).unwrap();
    server.handle_timeout(Timestamp::ZERO);
    server.handle_timeout(Timestamp::from(Duration::from_secs(5)));
    assert_eq!(server.state(), State::Closed);
    assert_deaf(&mut server);
}

#[test]
fn nothing_is_received_after_a_missing_pong() {
    let second = Duration::from_secs(1);
    let mut server = Connection::server(Config::new().keep_alive(second, second));
    for now in 0..=2 {
        server.handle_timeout(Timestamp::from(now * second));
    }
    assert_eq!(server.state(), State::Draining);
    assert_deaf(&mut server);
}

#[test]
fn nothing_is_received_behind_the_end_of_the_transport() {
    let mut server = Connection::server(Config::new());
    server.receive_eof();
    assert_deaf(&mut server);
}
