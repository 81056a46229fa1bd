//! A redirect is reported, with where it points to, and not followed.
#![cfg(all(feature = "std", feature = "handshake"))]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use sansocket::blocking::{self, ConnectError};
use sansocket::handshake::ResponseError;

const REDIRECT: &[u8] = b"HTTP/1.1 302 Found\r\nLocation: ws://example.com/next\r\n\
    Content-Length: 2\r\n\r\n->";

/// A server that redirects the first client, and then listens no more; gives its URI.
fn redirecting_server() -> std::io::Result<(String, thread::JoinHandle<std::io::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    let server = thread::spawn(move || {
        let mut stream = listener.accept()?.0;
        drop(listener);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend_from_slice(&byte);
        }
        stream.write_all(REDIRECT)
    });
    Ok((uri, server))
}

fn assert_redirect(error: ConnectError) {
    match error {
        ConnectError::Response(ResponseError::Refused(response)) => {
            assert_eq!(response.status(), 302);
            let location = response.headers().get("Location");
            assert_eq!(location, Some("ws://example.com/next"));
            assert_eq!(response.body(), b"->");
        }
        error => panic!("{error}"),
    }
}

#[test]
fn a_blocking_client_reports_where_it_is_redirected_to() -> std::io::Result<()> {
    let (uri, server) = redirecting_server()?;
    assert_redirect(blocking::connect(&uri).unwrap_err());
    server.join().unwrap()
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn an_async_client_reports_where_it_is_redirected_to() -> std::io::Result<()> {
    let (uri, server) = redirecting_server()?;
    assert_redirect(sansocket::tokio::connect(&uri).await.unwrap_err());
    server.join().unwrap()
}
