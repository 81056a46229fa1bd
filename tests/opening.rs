//! What clients do while the opening handshake lasts (RFC 6455 §4.1), seen from the server's socket.
#![cfg(all(feature = "std", feature = "handshake"))]

use std::collections::HashSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sansocket::handshake::Key;

/// How long a client that may not send anything is listened to.
const QUIET: Duration = Duration::from_millis(50);

/// What a client has sent up to the blank line, and whatever else before it has an answer.
fn listen(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    stream.set_read_timeout(Some(QUIET))?;
    let mut more = vec![0; 100];
    let len = match stream.read(&mut more) {
        Ok(len) => len,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(None)?;
    more.truncate(len);
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    Ok((head, more))
}

fn key_in(head: &str) -> Option<Key> {
    let mut lines = head.split("\r\n");
    let value = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
    Key::parse(value.as_bytes())
}

/// A server that opens so many WebSockets, checks what came before its answer and the frame that
/// comes behind it, and gives the keys.
fn server(clients: usize) -> io::Result<(String, JoinHandle<io::Result<Vec<Key>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    let server = thread::spawn(move || {
        let mut keys = Vec::new();
        for _ in 0..clients {
            let mut stream = listener.accept()?.0;
            let (head, more) = listen(&mut stream)?;
            assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
            assert_eq!(more, b"", "sent before the response");
            let key = key_in(&head).expect("a key of 16 bytes");
            write!(
                stream,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
                key.accept()
            )?;
            // A masked ping of no bytes: now the client may send.
            let mut frame = [0; 6];
            stream.read_exact(&mut frame)?;
            assert_eq!(frame[..2], [0x89, 0x80]);
            keys.push(key);
        }
        Ok(keys)
    });
    Ok((uri, server))
}

fn assert_all_differ(keys: Vec<Key>, count: usize) {
    assert_eq!(keys.len(), count);
    assert_eq!(keys.into_iter().collect::<HashSet<_>>().len(), count);
}

#[test]
fn each_connection_of_a_client_has_a_nonce_of_its_own() -> io::Result<()> {
    let (uri, server) = server(4)?;
    for _ in 0..4 {
        let mut client = sansocket::blocking::connect(&uri).unwrap();
        client.ping(b"").unwrap();
        client.flush().unwrap();
    }
    assert_all_differ(server.join().unwrap()?, 4);
    Ok(())
}

#[test]
fn a_client_sends_its_request_and_nothing_else_before_the_response() -> io::Result<()> {
    let (uri, server) = server(1)?;
    let mut client = sansocket::blocking::connect(&uri).unwrap();
    client.ping(b"").unwrap();
    client.flush().unwrap();
    assert_all_differ(server.join().unwrap()?, 1);
    Ok(())
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn an_async_client_keeps_to_the_same() -> io::Result<()> {
    let (uri, server) = server(3)?;
    for _ in 0..3 {
        let mut client = sansocket::tokio::connect(&uri).await.unwrap();
        client.ping(b"").await.unwrap();
    }
    assert_all_differ(server.join().unwrap()?, 3);
    Ok(())
}
