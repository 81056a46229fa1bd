//! Compression through the blocking adapter over TCP.
#![cfg(all(feature = "std", feature = "handshake", feature = "deflate"))]

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use sansocket::blocking::{Connector, Incoming, read_request};
use sansocket::handshake::client::Request;
use sansocket::handshake::server::Acceptance;
use sansocket::handshake::{BuildError, Extension, Limits};
use sansocket::{CloseCode, Config, DeflateConfig, Message};

#[test]
fn messages_are_compressed_in_both_directions_unless_told_otherwise() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    // The second time, longer than the pause after which compressors are given back.
    let pauses = [Duration::ZERO, Duration::from_millis(1200)];
    for takeover in [true, false] {
        let deflate = DeflateConfig::new()
            .server_context_takeover(takeover)
            .client_context_takeover(takeover);
        let listener = listener.try_clone().unwrap();
        let server = thread::spawn(move || {
            let stream = listener.accept().unwrap().0;
            let Incoming::Request(pending) = read_request(stream, Limits::new()).unwrap() else {
                panic!("not a request");
            };
            let acceptance = Acceptance::new().deflate(deflate);
            let mut server = pending.accept(acceptance, Config::new()).unwrap();
            while let Some(message) = server.messages().next() {
                server.send(message.unwrap()).unwrap();
            }
        });
        let request = Request::new(url.parse().unwrap()).deflate(deflate);
        let (mut client, response) = Connector::new().connect(request).unwrap();
        assert_eq!(response.deflate(), Some(deflate.into()));
        for pause in pauses {
            thread::sleep(pause);
            for on in [true, false, true] {
                client.set_compression(on);
                let message = Message::from("to be or not to be ".repeat(10_000));
                client.feed(message.clone()).unwrap();
                let queued = client.connection().queued();
                assert_eq!(queued < 5_000, on, "{queued} bytes");
                client.flush().unwrap();
                assert_eq!(client.messages().next().unwrap().unwrap(), message);
            }
        }
        client.close(CloseCode::NORMAL).unwrap();
        while client.recv_event().unwrap().is_some() {}
        server.join().unwrap();
    }
}

#[test]
fn permessage_deflate_cannot_be_offered_both_ways() {
    let extension = Extension::new("permessage-deflate").unwrap();
    let request = Request::new("ws://example.com/".parse().unwrap())
        .extension(extension)
        .deflate(DeflateConfig::new());
    let error = request.start([0; 16]).unwrap_err();
    assert_eq!(error, BuildError::DuplicateExtension);
}
