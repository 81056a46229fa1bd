//! TLS through the blocking adapter, over TCP on loopback.
#![cfg(feature = "rustls")]

#[path = "common/tls.rs"]
mod tls;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use sansocket::blocking::{
    self, ConnectError, Connector, Error, MaybeTlsStream, Transport, WebSocket,
};
use sansocket::handshake::client::Request;
use sansocket::handshake::{Limits, ResponseError};
use sansocket::{CloseCode, CloseOutcome, Config, Event, Message, State};
use tls::Ca;

const MS: Duration = Duration::from_millis(1);

type ServerStream = StreamOwned<ServerConnection, TcpStream>;
type Server = WebSocket<ServerStream>;

/// Runs `serve` on the first connection to the port that is given.
fn listen<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || serve(listener.accept().unwrap().0));
    (port, server)
}

/// The same, on an accepted WebSocket.
fn listen_tls<T: Send + 'static>(
    config: Arc<ServerConfig>,
    serve: impl FnOnce(Server) -> T + Send + 'static,
) -> (u16, JoinHandle<T>) {
    listen(|tcp| serve(blocking::accept(server_stream(config, tcp)).unwrap()))
}

fn server_stream(config: Arc<ServerConfig>, tcp: TcpStream) -> ServerStream {
    StreamOwned::new(ServerConnection::new(config).unwrap(), tcp)
}

fn echo(mut server: Server) -> Server {
    while let Some(message) = server.recv().unwrap() {
        server.send(message).unwrap();
    }
    server
}

fn request(host: &str, port: u16) -> Request {
    Request::new(format!("wss://{host}:{port}/").parse().unwrap())
}

fn connect(
    config: Arc<ClientConfig>,
    host: &str,
    port: u16,
) -> Result<WebSocket<MaybeTlsStream>, ConnectError> {
    let connector = Connector::new().tls_config(config);
    Ok(connector.connect(request(host, port))?.0)
}

fn tls(client: &WebSocket<MaybeTlsStream>) -> &ClientConnection {
    match client.stream() {
        MaybeTlsStream::Rustls(tls) => &tls.conn,
        other => panic!("{other:?}"),
    }
}

/// The error of TLS that ended this.
#[track_caller]
fn tls_error<T>(result: Result<T, ConnectError>) -> rustls::Error {
    match result.map(drop) {
        Err(ConnectError::Io(error)) => error.downcast().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_of_all_sizes_come_back_and_both_sides_end_tls() {
    let ca = Ca::new();
    for version in rustls::ALL_VERSIONS {
        let (port, server) = listen_tls(ca.server(&["localhost"]), echo);
        let mut client = connect(ca.client_of(&[version]), "localhost", port).unwrap();
        assert!(client.stream().get_ref().nodelay().unwrap());
        for size in [0, 1, 125, 126, 65535, 65536, 1 << 20] {
            let binary = Message::from(vec![7; size]);
            client.send(binary.clone()).unwrap();
            assert_eq!(client.recv().unwrap().unwrap(), binary);
            let text = Message::from("é".repeat(size / 2));
            client.send(text.clone()).unwrap();
            assert_eq!(client.recv().unwrap().unwrap(), text);
        }
        client.close(CloseCode::NORMAL).unwrap();
        while client.recv_event().unwrap().is_some() {}
        assert!(matches!(
            client.connection().outcome(),
            Some(CloseOutcome::Clean(_))
        ));
        let mut server = server.join().unwrap();
        // The end of TLS: without a close_notify it would be an error.
        let stream = server.stream_mut();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        let (mut stream, ..) = client.into_parts();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn receiving_goes_on_while_the_peer_reads_nothing_before_it_has_sent_all() {
    // Far more than the buffers of the system and of TLS hold in both directions.
    let (count, size) = (400, 64 << 10);
    let ca = Ca::new();
    let (port, server) = listen_tls(ca.server(&["localhost"]), |mut server| {
        while let Some((event, connection)) = server.recv_with_connection().unwrap() {
            let Event::Binary(data) = event else { continue };
            if connection.send_binary(&data).is_err() {
                let too_much = data.into_bytes();
                server.send(too_much).unwrap();
            }
        }
    });
    let mut client = connect(ca.client(), "localhost", port).unwrap();
    let (mut sent, mut received) = (0, 0);
    let start = Instant::now();
    while received < count {
        assert!(
            start.elapsed() < 20_000 * MS,
            "stuck at {sent} sent and {received} received"
        );
        while sent < count && client.connection().queued() < 1 << 19 {
            client.feed(vec![3; size]).unwrap();
            sent += 1;
        }
        assert_eq!(client.recv().unwrap().unwrap().len(), size);
        received += 1;
    }
    client.close(CloseCode::NORMAL).unwrap();
    while client.recv_event().unwrap().is_some() {}
    server.join().unwrap();
}

#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_come_back() {
    use sansocket::DeflateConfig;
    use sansocket::blocking::{Incoming, read_request};
    use sansocket::handshake::server::Acceptance;

    let ca = Ca::new();
    let config = ca.server(&["localhost"]);
    let (port, server) = listen(|tcp| {
        let stream = server_stream(config, tcp);
        let Incoming::Request(pending) = read_request(stream, Limits::new()).unwrap() else {
            panic!("not a request");
        };
        let acceptance = Acceptance::new().deflate(DeflateConfig::new());
        echo(pending.accept(acceptance, Config::new()).unwrap());
    });
    let connector = Connector::new().tls_config(ca.client());
    let request = request("localhost", port).deflate(DeflateConfig::new());
    let (mut client, response) = connector.connect(request).unwrap();
    assert!(response.deflate().is_some());
    let text = Message::from("to be or not to be ".repeat(10_000));
    client.send(text.clone()).unwrap();
    assert_eq!(client.recv().unwrap().unwrap(), text);
    client.close(None).unwrap();
    while client.recv_event().unwrap().is_some() {}
    server.join().unwrap();
}

#[test]
fn the_server_sees_the_name_and_only_http_1_1() {
    let ca = Ca::new();
    let (port, server) = listen_tls(ca.server(&["localhost"]), echo);
    let mut client = connect(ca.client(), "LocalHost", port).unwrap();
    assert_eq!(tls(&client).alpn_protocol(), Some(&b"http/1.1"[..]));
    client.close(None).unwrap();
    while client.recv_event().unwrap().is_some() {}
    let server = server.join().unwrap();
    assert_eq!(server.stream().conn.server_name(), Some("localhost"));
}

#[test]
fn a_certificate_may_be_for_an_address() {
    let ca = Ca::new();
    let (port, server) = listen_tls(ca.server(&["127.0.0.1"]), echo);
    let mut client = connect(ca.client(), "127.0.0.1", port).unwrap();
    client.close(None).unwrap();
    while client.recv_event().unwrap().is_some() {}
    let server = server.join().unwrap();
    assert_eq!(server.stream().conn.server_name(), None);
}

#[test]
fn a_certificate_for_another_name_or_of_an_unknown_authority_is_refused() {
    let ca = Ca::new();
    for (authority, names, host) in [
        (&ca, ["example.com"], "localhost"),
        (&ca, ["localhost"], "127.0.0.1"),
        (&Ca::new(), ["localhost"], "localhost"),
    ] {
        let config = authority.server(&names);
        let (port, server) = listen(|tcp| blocking::accept(server_stream(config, tcp)).map(drop));
        let error = tls_error(connect(ca.client(), host, port));
        assert!(
            matches!(error, rustls::Error::InvalidCertificate(_)),
            "{error:?}"
        );
        // The server is told.
        let error = server.join().unwrap().unwrap_err().to_string();
        assert!(error.contains("alert"), "{error}");
    }
}

#[test]
fn the_default_configuration_trusts_no_authority_of_ours() {
    let ca = Ca::new();
    let config = ca.server(&["localhost"]);
    let (port, server) = listen(|tcp| blocking::accept(server_stream(config, tcp)).map(drop));
    let error = tls_error(blocking::connect(&format!("wss://localhost:{port}/")));
    assert!(
        matches!(error, rustls::Error::InvalidCertificate(_)),
        "{error:?}"
    );
    assert!(server.join().unwrap().is_err());
}

#[test]
fn the_end_of_tcp_alone_is_a_loss() {
    let ca = Ca::new();
    let (port, server) = listen_tls(ca.server(&["localhost"]), |mut server| {
        server.send("hi").unwrap();
        // TCP ends, TLS does not.
    });
    let mut client = connect(ca.client(), "localhost", port).unwrap();
    server.join().unwrap();
    assert_eq!(client.recv().unwrap(), Some("hi".into()));
    match client.recv_event() {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
    for _ in 0..2 {
        let error = client.recv_event().unwrap_err();
        assert!(
            matches!(error, Error::Ended(CloseOutcome::Lost)),
            "{error:?}"
        );
    }
}

#[test]
fn after_the_closing_handshake_the_end_of_tcp_alone_is_clean() {
    let ca = Ca::new();
    let (port, server) = listen_tls(ca.server(&["localhost"]), |mut server| {
        while !matches!(server.recv_event(), Ok(Some(Event::Close(_)))) {}
        server.flush().unwrap();
    });
    let mut client = connect(ca.client(), "localhost", port).unwrap();
    client.close(CloseCode::NORMAL).unwrap();
    while client.recv_event().unwrap().is_some() {}
    assert_eq!(client.connection().state(), State::Closed);
    assert!(matches!(
        client.connection().outcome(),
        Some(CloseOutcome::Clean(_))
    ));
    server.join().unwrap();
}

/// Holds the connection without a word, or with one byte of a record now and then, until it ends.
fn dawdle(mut tcp: TcpStream, bytes: &[u8]) {
    let mut bytes = bytes.iter();
    tcp.set_read_timeout(Some(20 * MS)).unwrap();
    loop {
        match tcp.read(&mut [0; 4096]) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if let Some(byte) = bytes.next() {
                    if tcp.write_all(&[*byte]).is_err() {
                        return;
                    }
                }
            }
            Err(_) => return,
        }
    }
}

/// The head of a handshake record of 16 KiB, and a part of it.
const ENDLESS_RECORD: [u8; 200] = {
    let mut record = [0; 200];
    let head = [22, 3, 3, 0x40, 0, 2, 0, 0x40, 0];
    let mut i = 0;
    while i < head.len() {
        record[i] = head[i];
        i += 1;
    }
    record
};

#[test]
fn a_server_that_does_not_finish_the_tls_handshake_ends_by_the_time_limit() {
    for bytes in [&[][..], &ENDLESS_RECORD] {
        let (port, server) = listen(|tcp| dawdle(tcp, bytes));
        let limits = Limits::new().timeout(Some(300 * MS));
        let start = Instant::now();
        let connected = Connector::new().connect(request("localhost", port).limits(limits));
        assert!(
            matches!(
                connected,
                Err(ConnectError::Response(ResponseError::TimedOut))
            ),
            "{connected:?}"
        );
        let took = start.elapsed();
        assert!((290 * MS..1500 * MS).contains(&took), "{took:?}");
        server.join().unwrap();
    }
}

#[test]
fn a_client_that_does_not_finish_the_tls_handshake_ends_by_the_time_limit() {
    let ca = Ca::new();
    // A ClientHello.
    let mut endless = ENDLESS_RECORD;
    endless[5] = 1;
    for bytes in [&[][..], &endless] {
        let config = ca.server(&["localhost"]);
        let (port, server) = listen(|tcp| {
            let limits = Limits::new().timeout(Some(300 * MS));
            let start = Instant::now();
            let read = blocking::read_request(server_stream(config, tcp), limits);
            let took = start.elapsed();
            assert!((290 * MS..1500 * MS).contains(&took), "{took:?}");
            match read {
                Ok(blocking::Incoming::Refused(refused)) => refused.refusal().error().to_string(),
                other => panic!("{other:?}"),
            }
        });
        let bytes = bytes.to_vec();
        dawdle(TcpStream::connect(("127.0.0.1", port)).unwrap(), &bytes);
        server.join().unwrap();
    }
}

#[test]
fn closing_ends_by_its_time_limit_though_the_peer_reads_nothing() {
    let ca = Ca::new();
    let (port, server) = listen_tls(ca.server(&["localhost"]), |server| {
        thread::sleep(2000 * MS);
        drop(server);
    });
    let connector = Connector::new()
        .tls_config(ca.client())
        .config(Config::new().close_timeout(300 * MS));
    let (mut client, _) = connector.connect(request("localhost", port)).unwrap();
    client.stream().set_write_timeout(Some(50 * MS)).unwrap();
    // More than the sockets take.
    for _ in 0..16 {
        let _ = client.feed(vec![0; 1 << 20]);
    }
    assert!(client.wants_write());
    let start = Instant::now();
    let _ = client.close(CloseCode::NORMAL);
    client.stream().set_write_timeout(None).unwrap();
    let error = loop {
        match client.recv_event() {
            Ok(event) => assert!(event.is_some(), "a clean end"),
            Err(error) if error.is_blocked() => {}
            Err(error) => break error,
        }
    };
    assert!(
        matches!(error, Error::Ended(CloseOutcome::TimedOut(_))),
        "{error:?}"
    );
    let took = start.elapsed();
    assert!(took < 1500 * MS, "{took:?}");
    server.join().unwrap();
}

#[test]
fn time_outs_amid_tls_lose_nothing() {
    let ca = Ca::new();
    let config = ca.server(&["localhost"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Both sides time out all the time; bytes in between are delayed and cut at random.
    let server = thread::spawn(move || {
        let tcp = listener.accept().unwrap().0;
        tcp.set_read_timeout(Some(MS)).unwrap();
        tcp.set_write_timeout(Some(MS)).unwrap();
        let mut handshake =
            blocking::ServerHandshake::new(server_stream(config, tcp), Limits::new());
        let incoming = loop {
            match handshake.proceed().unwrap() {
                blocking::Step::Done(incoming) => break incoming,
                blocking::Step::Blocked(again) => handshake = again,
            }
        };
        let blocking::Incoming::Request(pending) = incoming else {
            panic!("not a request");
        };
        let acceptance = sansocket::handshake::server::Acceptance::new();
        let mut server = pending.accept(acceptance, Config::new()).unwrap();
        talk(&mut server, 40);
        end(&mut server);
    });
    let proxy = proxy(port);
    let tcp = TcpStream::connect(("127.0.0.1", proxy)).unwrap();
    tcp.set_read_timeout(Some(MS)).unwrap();
    tcp.set_write_timeout(Some(MS)).unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = StreamOwned::new(ClientConnection::new(ca.client(), name).unwrap(), tcp);
    let request = request("localhost", port);
    let mut handshake = Connector::new().handshake(request, stream).unwrap();
    let mut client = loop {
        match handshake.proceed().unwrap() {
            blocking::Step::Done((client, _)) => break client,
            blocking::Step::Blocked(again) => handshake = again,
        }
    };
    talk(&mut client, 40);
    while let Err(error) = client.close(CloseCode::NORMAL) {
        assert!(error.is_blocked(), "{error:?}");
    }
    end(&mut client);
    server.join().unwrap();
}

/// The n-th message of either side.
fn message(n: usize) -> Message {
    let sizes = [0, 1, 200, 20_000, 300_000];
    let size = sizes[n % sizes.len()];
    let bytes = (0..size).map(|i| (i ^ n).to_le_bytes()[0]);
    bytes.collect::<Vec<_>>().into()
}

/// Sends so many messages and receives as many, both at once.
fn talk<S: Transport>(websocket: &mut WebSocket<S>, count: usize) {
    let (mut sent, mut received) = (0, 0);
    while received < count || sent < count || websocket.wants_write() {
        if sent < count {
            match websocket.send(message(sent)) {
                Ok(()) => sent += 1,
                Err(Error::Send(_)) => {}
                Err(error) => assert!(error.is_blocked(), "{error:?}"),
            }
        }
        if received < count {
            match websocket.recv() {
                Ok(Some(next)) => {
                    assert!(next == message(received), "message {received}");
                    received += 1;
                }
                Ok(None) => panic!("the end"),
                Err(error) => assert!(error.is_blocked(), "{error:?}"),
            }
        } else if let Err(error) = websocket.flush() {
            assert!(error.is_blocked(), "{error:?}");
        }
    }
}

fn end<S: Transport>(websocket: &mut WebSocket<S>) {
    loop {
        match websocket.recv_event() {
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => assert!(error.is_blocked(), "{error:?}"),
        }
    }
}

/// Forwards to the port, in both directions, in pieces of odd sizes and with pauses.
fn proxy(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let client = listener.accept().unwrap().0;
        let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
        for (mut from, mut to) in [
            (client.try_clone().unwrap(), server.try_clone().unwrap()),
            (server, client),
        ] {
            to.set_nodelay(true).unwrap();
            thread::spawn(move || {
                for n in (0_usize..).map(|n| n.wrapping_mul(7919)) {
                    let mut room = vec![0; 1 + n % 40_000];
                    match from.read(&mut room) {
                        Ok(n @ 1..) if to.write_all(&room[..n]).is_ok() => {}
                        _ => break,
                    }
                    if n % 3 == 0 {
                        thread::sleep(2 * MS);
                    }
                }
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    at
}
