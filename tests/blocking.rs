//! The blocking adapter over real TCP on loopback.
#![cfg(all(feature = "std", feature = "handshake"))]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sansocket::blocking::{
    self, AcceptError, ConnectError, Connector, Error, Incoming, ServerHandshake, Step, WebSocket,
    read_request,
};
use sansocket::handshake::client::Request;
use sansocket::handshake::server::Acceptance;
use sansocket::handshake::{Limits, Rejection, RequestError, ResponseError};
use sansocket::{
    CloseCode, CloseFrame, CloseOutcome, Config, Connection, Event, Message, ProtocolError, State,
    Timeout,
};

const MS: Duration = Duration::from_millis(1);

/// Runs `serve` on the first connection to the URL that is given.
fn listen<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/chat", listener.local_addr().unwrap());
    (
        url,
        thread::spawn(move || serve(listener.accept().unwrap().0)),
    )
}

/// A server with this configuration, and a peer that has only the bytes: (server, raw client).
fn raw_client(config: Config) -> (WebSocket<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    (WebSocket::new(stream, Connection::server(config)), client)
}

fn echo(stream: TcpStream) -> Result<(), Error> {
    let mut server = blocking::accept(stream).unwrap();
    while let Some(message) = server.messages().next() {
        server.send(message?)?;
    }
    Ok(())
}

fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn messages_of_all_sizes_come_back_and_the_connection_closes_cleanly() {
    let (url, server) = listen(echo);
    let mut client = blocking::connect(&url).unwrap();
    assert!(client.stream().get_ref().nodelay().unwrap());
    for size in [0, 1, 125, 126, 65535, 65536, 1 << 20] {
        let binary = Message::from(vec![7; size]);
        client.send(binary.clone()).unwrap();
        assert_eq!(client.messages().next().unwrap().unwrap(), binary);
        let text = Message::from("é".repeat(size / 2));
        client.send(text.clone()).unwrap();
        assert_eq!(client.messages().next().unwrap().unwrap(), text);
    }
    client
        .close(CloseFrame::new(CloseCode::NORMAL, "bye"))
        .unwrap();
    assert!(
        matches!(client.recv_event().unwrap(), Some(Event::Close(Some(frame))) if frame.code() == CloseCode::NORMAL)
    );
    assert!(client.recv_event().unwrap().is_none());
    assert!(client.recv_event().unwrap().is_none());
    assert_eq!(client.connection().state(), State::Closed);
    server.join().unwrap().unwrap();
}

#[test]
fn answers_to_borrowed_events_leave_together() {
    let (mut server, mut client) = raw_client(Config::new());
    client
        .write_all(b"\x81\x81\0\0\0\0a\x82\x81\0\0\0\0b\x88\x80\0\0\0\0")
        .unwrap();
    while let Some((event, connection)) = server.recv_with_connection().unwrap() {
        match event {
            Event::Text(text) => connection.send_text(&text).unwrap(),
            Event::Binary(data) => connection.send_binary(&data).unwrap(),
            Event::Close(_) => client.shutdown(Shutdown::Write).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(read_to_end(client), b"\x81\x01a\x82\x01b\x88\x00");
}

#[test]
fn the_server_looks_at_the_request_before_it_accepts() {
    let (url, server) = listen(|stream| {
        let Incoming::Request(pending) = read_request(stream, Limits::new()).unwrap() else {
            panic!("not a WebSocket request");
        };
        assert_eq!(pending.request().path(), "/chat");
        assert_eq!(pending.request().origin(), Some("https://example.com"));
        assert_eq!(pending.request().headers().get("X-Token"), Some("secret"));
        let acceptance = Acceptance::new().subprotocol("b").header("X-Answer", "42");
        let mut server = pending.accept(acceptance, Config::new()).unwrap();
        while server.recv_event().unwrap().is_some() {}
    });
    let request = Request::new(url.parse().unwrap())
        .subprotocol("a")
        .subprotocol("b")
        .header("X-Token", "secret")
        .origin("https://example.com");
    let (mut client, response) = Connector::new().connect(request).unwrap();
    assert_eq!(response.subprotocol(), Some("b"));
    assert_eq!(response.headers().get("X-Answer"), Some("42"));
    client.close(None).unwrap();
    while client.recv_event().unwrap().is_some() {}
    assert_eq!(
        client.connection().outcome(),
        Some(&CloseOutcome::Clean(None))
    );
    server.join().unwrap();
}

#[test]
fn a_rejected_client_gets_status_headers_and_body() {
    let (url, server) = listen(
        |stream| match read_request(stream, Limits::new()).unwrap() {
            Incoming::Request(pending) => {
                let rejection = Rejection::new(401).header("WWW-Authenticate", "Basic");
                pending
                    .reject(rejection.body("text/plain", "who are you?"))
                    .unwrap();
            }
            Incoming::Refused(_) => panic!("a valid request was refused"),
        },
    );
    match blocking::connect(&url) {
        Err(ConnectError::Response(ResponseError::Refused(refused))) => {
            assert_eq!(refused.status(), 401);
            assert_eq!(refused.headers().get("WWW-Authenticate"), Some("Basic"));
            assert_eq!(refused.body(), b"who are you?");
        }
        other => panic!("{other:?}"),
    }
    server.join().unwrap();
}

#[test]
fn an_ordinary_request_is_answered_and_reported() {
    let (url, server) = listen(blocking::accept);
    let mut client =
        TcpStream::connect(url.trim_start_matches("ws://").trim_end_matches("/chat")).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let answer = String::from_utf8(read_to_end(client)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    let result = server.join().unwrap();
    assert!(matches!(
        result,
        Err(AcceptError::Request(RequestError::NotAnUpgrade))
    ));
}

#[test]
fn a_stalled_request_is_answered_with_408_in_time() {
    let (url, server) = listen(|stream| {
        let start = Instant::now();
        let limits = Limits::new().timeout(Some(150 * MS));
        match read_request(stream, limits).unwrap() {
            Incoming::Refused(pending) => {
                let error = pending.refusal().error().clone();
                let elapsed = start.elapsed();
                assert!(matches!(pending.answer().unwrap(), Step::Done(())));
                (error, elapsed)
            }
            Incoming::Request(_) => panic!("half a request was accepted"),
        }
    });
    let mut client =
        TcpStream::connect(url.trim_start_matches("ws://").trim_end_matches("/chat")).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost").unwrap();
    assert!(read_to_end(client).starts_with(b"HTTP/1.1 408 "));
    let (error, elapsed) = server.join().unwrap();
    assert!(matches!(error, RequestError::TimedOut));
    assert!(elapsed >= 140 * MS && elapsed < 1500 * MS, "{elapsed:?}");
}

#[test]
fn a_server_that_never_answers_the_request_fails_the_handshake_in_time() {
    let (url, _server) = listen(read_to_end);
    let limits = Limits::new().timeout(Some(100 * MS));
    let start = Instant::now();
    let result = Connector::new().connect(Request::new(url.parse().unwrap()).limits(limits));
    assert!(
        matches!(result, Err(ConnectError::Response(ResponseError::TimedOut))),
        "{result:?}"
    );
    assert!(start.elapsed() < 1500 * MS);
}

#[test]
fn connecting_to_a_closed_port_is_an_io_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://localhost:{}/", listener.local_addr().unwrap().port());
    drop(listener);
    match blocking::connect(&url) {
        Err(ConnectError::Io(error)) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_is_tried_at_all_its_addresses() {
    // "localhost" may resolve to ::1 first, where nobody listens.
    let (url, server) = listen(echo);
    let mut client = blocking::connect(&url.replace("127.0.0.1", "localhost")).unwrap();
    client.close(CloseCode::NORMAL).unwrap();
    while client.recv_event().unwrap().is_some() {}
    server.join().unwrap().unwrap();
}

#[test]
fn a_secure_uri_is_refused_rather_than_spoken_to_in_the_clear() {
    #[cfg(not(feature = "rustls-no-provider"))]
    assert!(matches!(
        blocking::connect("wss://127.0.0.1:1/"),
        Err(ConnectError::Secure)
    ));
    assert!(matches!(
        blocking::connect("http://127.0.0.1:1/"),
        Err(ConnectError::Uri(_))
    ));
}

#[test]
fn a_violation_is_told_to_the_peer_before_it_is_returned() {
    let (mut server, mut client) = raw_client(Config::new());
    // A good message, then a reserved opcode.
    client
        .write_all(b"\x81\x81\0\0\0\0a\x83\x80\0\0\0\0")
        .unwrap();
    let peer = thread::spawn(move || read_to_end(client));
    assert_eq!(server.messages().next().unwrap().unwrap(), "a".into());
    let error = server.recv_event().unwrap_err();
    assert!(
        matches!(error, Error::Protocol(ProtocolError::Header(_))),
        "{error:?}"
    );
    assert!(matches!(server.recv_event(), Err(Error::Protocol(_))));
    let seen = peer.join().unwrap();
    assert_eq!(seen[0], 0x88);
    assert_eq!(seen[2..4], 1002_u16.to_be_bytes());
}

#[test]
fn text_that_is_not_utf8_is_told_to_the_peer_though_it_came_whole() {
    let (mut server, mut client) = raw_client(Config::new());
    client.write_all(b"\x81\x81\0\0\0\0\xFF").unwrap();
    let peer = thread::spawn(move || read_to_end(client));
    assert!(matches!(
        server.recv_event(),
        Err(Error::Protocol(ProtocolError::InvalidUtf8))
    ));
    assert_eq!(peer.join().unwrap()[2..4], 1007_u16.to_be_bytes());
}

#[test]
fn an_end_without_a_closing_handshake_is_an_error_behind_the_messages() {
    let (mut server, mut client) = raw_client(Config::new());
    client.write_all(b"\x81\x81\0\0\0\0a\x81\x85\0\0").unwrap();
    drop(client);
    assert_eq!(server.messages().next().unwrap().unwrap(), "a".into());
    assert!(matches!(
        server.recv_event(),
        Err(Error::Ended(CloseOutcome::Lost))
    ));
    assert!(matches!(
        server.messages().collect::<Vec<_>>()[..],
        [Err(Error::Ended(_))]
    ));
}

#[test]
fn a_read_timeout_returns_and_loses_nothing() {
    let (mut server, mut client) = raw_client(Config::new());
    server.stream().set_read_timeout(Some(10 * MS)).unwrap();
    for byte in b"\x81\x83\0\0\0\0abc" {
        assert!(server.recv_event().unwrap_err().is_blocked());
        client.write_all(&[*byte]).unwrap();
    }
    assert_eq!(server.messages().next().unwrap().unwrap(), "abc".into());
}

#[test]
fn a_non_blocking_stream_does_the_handshake_and_the_messages() {
    let (url, server) = listen(|stream| {
        stream.set_nonblocking(true).unwrap();
        let mut handshake = ServerHandshake::new(stream, Limits::new());
        let pending = loop {
            match handshake.proceed().unwrap() {
                Step::Done(Incoming::Request(pending)) => break pending,
                Step::Done(Incoming::Refused(_)) => panic!("a valid request was refused"),
                Step::Blocked(again) => handshake = again,
            }
            thread::sleep(MS);
        };
        let mut server = pending.accept(Acceptance::new(), Config::new()).unwrap();
        let mut blocked = 0;
        loop {
            match server.recv_event() {
                Ok(Some(event)) => {
                    if let Some(message) = event.into_message() {
                        server.send(message).unwrap();
                    }
                }
                Ok(None) => return blocked,
                Err(error) if error.is_blocked() => blocked += 1,
                Err(error) => panic!("{error}"),
            }
            thread::sleep(MS);
        }
    });
    let mut client = blocking::connect(&url).unwrap();
    let message = Message::from(vec![3; 3 << 20]);
    client.send(message.clone()).unwrap();
    assert_eq!(client.messages().next().unwrap().unwrap(), message);
    client.close(CloseCode::NORMAL).unwrap();
    while client.recv_event().unwrap().is_some() {}
    assert!(server.join().unwrap() > 0);
}

#[test]
fn pings_that_came_together_are_each_answered() {
    let (mut server, mut client) = raw_client(Config::new());
    let pings = thread::spawn(move || {
        client.write_all(&b"\x89\x81\0\0\0\0?".repeat(3)).unwrap();
        let mut pongs = [0; 9];
        client.read_exact(&mut pongs).unwrap();
        client.write_all(b"\x88\x80\0\0\0\0").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        pongs
    });
    while server.recv_event().unwrap().is_some() {}
    assert_eq!(pings.join().unwrap(), *b"\x8a\x01?\x8a\x01?\x8a\x01?");
}

#[test]
fn an_idle_connection_is_closed_with_1001() {
    let config = Config::new().idle_timeout(100 * MS);
    let (mut server, mut client) = raw_client(config);
    let start = Instant::now();
    let peer = thread::spawn(move || {
        let mut close = [0; 4];
        client.read_exact(&mut close).unwrap();
        let elapsed = start.elapsed();
        client.write_all(b"\x88\x82\0\0\0\0\x03\xe9").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        (close, elapsed)
    });
    while server.recv_event().unwrap().is_some() {}
    let (close, elapsed) = peer.join().unwrap();
    assert_eq!(close[2..], 1001_u16.to_be_bytes());
    assert!(elapsed >= 90 * MS && elapsed < 1500 * MS, "{elapsed:?}");
    // The stream's own time-out is as it was.
    assert_eq!(server.stream().read_timeout().unwrap(), None);
}

#[test]
fn a_peer_that_does_not_pong_ends_the_connection() {
    let config = Config::new()
        .keep_alive(50 * MS, 50 * MS)
        .close_timeout(100 * MS);
    let (mut server, client) = raw_client(config);
    let start = Instant::now();
    let error = server.recv_event().unwrap_err();
    assert!(
        matches!(error, Error::Ended(CloseOutcome::TimedOut(Timeout::Pong))),
        "{error:?}"
    );
    assert!(start.elapsed() < 1500 * MS);
    drop(server);
    // A ping, then the Close frame.
    let seen = read_to_end(client);
    assert_eq!((seen[0], seen[10]), (0x89, 0x88));
}

#[test]
fn a_peer_that_is_slow_to_take_a_lent_message_is_not_taken_for_dead() {
    let (mut server, mut client) = raw_client(Config::new().keep_alive(30 * MS, 150 * MS));
    thread::spawn(move || {
        let mut room = vec![0; 64 << 10];
        while client.read(&mut room).is_ok_and(|n| n > 0) {
            thread::sleep(5 * MS);
        }
    });
    server.send("x").unwrap();
    thread::sleep(40 * MS);
    // The ping leaves, and is answered by nothing but reading.
    server.flush().unwrap();
    server.flush().unwrap();
    server.send_binary(&vec![7; 16 << 20]).unwrap();
    assert_eq!(server.connection().state(), State::Open);
    assert_eq!(server.connection().outcome(), None);
}

#[test]
fn a_peer_that_never_answers_the_close_frame_is_let_go_of() {
    let (mut server, client) = raw_client(Config::new().close_timeout(100 * MS));
    server.close(CloseCode::NORMAL).unwrap();
    let start = Instant::now();
    let error = server.recv_event().unwrap_err();
    assert!(
        matches!(error, Error::Ended(CloseOutcome::TimedOut(Timeout::Close))),
        "{error:?}"
    );
    assert!(start.elapsed() < 1500 * MS);
    drop(client);
}

#[test]
fn the_close_deadline_runs_while_a_write_is_blocked() {
    let config = Config::new()
        .close_timeout(200 * MS)
        .write_limit(usize::MAX);
    let (mut server, client) = raw_client(config);
    // More than the system's buffers take from a peer that does not read.
    server.stream().set_write_timeout(Some(50 * MS)).unwrap();
    server.send(vec![0; 64 << 20]).unwrap();
    server.close(CloseCode::NORMAL).unwrap();
    server.stream().set_write_timeout(None).unwrap();
    let start = Instant::now();
    let error = server.recv_event().unwrap_err();
    assert!(
        matches!(error, Error::Ended(CloseOutcome::TimedOut(Timeout::Close))),
        "{error:?}"
    );
    assert!(start.elapsed() < 2500 * MS);
    drop(client);
}

#[test]
fn a_blocked_send_keeps_what_it_queued_and_full_gives_the_message_back() {
    let (mut server, client) = raw_client(Config::new().write_limit(1 << 20));
    server.stream().set_write_timeout(Some(20 * MS)).unwrap();
    let message = Message::from(vec![5; 1 << 20]);
    let mut sent = 0;
    let refused = loop {
        match server.send(message.clone()) {
            Ok(()) => sent += 1,
            Err(Error::Send(error)) => break error.into_message(),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(refused, message);
    let keys = sansocket::OsMaskKeys::new().unwrap();
    let mut client = WebSocket::new(client, Connection::client(Config::new(), keys));
    let reader = thread::spawn(move || {
        let messages = client.messages().take(sent).map(Result::unwrap);
        messages.filter(|received| *received == message).count()
    });
    while server.flush().is_err() {}
    assert_eq!(reader.join().unwrap(), sent);
}

#[test]
fn a_large_answer_leaves_whole_through_a_non_blocking_stream() {
    let (url, server) = listen(|stream| {
        stream.set_nonblocking(true).unwrap();
        let mut handshake = ServerHandshake::new(stream, Limits::new());
        let pending = loop {
            match handshake.proceed().unwrap() {
                Step::Done(Incoming::Refused(pending)) => break pending,
                Step::Done(Incoming::Request(_)) => panic!("an ordinary request was let through"),
                Step::Blocked(again) => handshake = again,
            }
            thread::sleep(MS);
        };
        let page = Rejection::new(200).body("text/plain", vec![b'x'; 8 << 20]);
        let mut step = pending.respond_with(page).unwrap();
        while let Step::Blocked(response) = step {
            assert!(response.next_deadline().is_some());
            thread::sleep(MS);
            step = response.proceed().unwrap();
        }
    });
    let address = url.trim_start_matches("ws://").trim_end_matches("/chat");
    let mut client = TcpStream::connect(address).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    thread::sleep(50 * MS);
    let answer = read_to_end(client);
    assert!(answer.len() > 8 << 20 && answer.ends_with(&[b'x'; 8 << 10]));
    server.join().unwrap();
}

#[test]
fn the_body_of_a_refusal_is_received_through_a_stream_that_blocks() {
    let (url, server) = listen(|mut stream| {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        stream
            .write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\n")
            .unwrap();
        thread::sleep(60 * MS);
        stream.write_all(b"sorry").unwrap();
        stream
    });
    let address = url.trim_start_matches("ws://").trim_end_matches("/chat");
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(10 * MS)).unwrap();
    let mut handshake = Connector::new()
        .handshake(Request::new(url.parse().unwrap()), stream)
        .unwrap();
    let error = loop {
        match handshake.proceed() {
            Ok(Step::Blocked(again)) => handshake = again,
            Ok(Step::Done(_)) => panic!("a refusal was taken for a WebSocket"),
            Err(error) => break error,
        }
    };
    match error {
        ConnectError::Response(ResponseError::Refused(refused)) => {
            assert_eq!(refused.body(), b"sorry");
        }
        other => panic!("{other:?}"),
    }
    drop(server.join().unwrap());
}

#[test]
fn receiving_goes_on_while_the_peer_reads_nothing_before_it_has_sent_all() {
    // Far more than the buffers of the system hold in both directions.
    let (count, size) = (400, 64 << 10);
    let (url, server) = listen(|stream| {
        let mut server = blocking::accept(stream).unwrap();
        let mut echoed = 0;
        while let Some((event, connection)) = server.recv_with_connection().unwrap() {
            let Event::Binary(data) = event else { continue };
            echoed += 1;
            if connection.send_binary(&data).is_err() {
                let too_much = data.into_bytes();
                server.send(too_much).unwrap();
            }
        }
        echoed
    });
    let config = Config::new().max_message_size(1 << 20);
    let (mut client, _) = Connector::new()
        .config(config)
        .connect(Request::new(url.parse().unwrap()))
        .unwrap();
    let (mut sent, mut received) = (0, 0);
    let start = Instant::now();
    while received < count {
        assert!(
            start.elapsed() < 20_000 * MS,
            "stuck at {sent} sent and {received} received"
        );
        // What is queued leaves while receiving waits.
        while sent < count && client.connection().queued() < 1 << 19 {
            client.feed(vec![3; size]).unwrap();
            sent += 1;
        }
        let message = client.messages().next().unwrap().unwrap();
        assert_eq!(message.len(), size);
        received += 1;
    }
    client.close(CloseCode::NORMAL).unwrap();
    while client.recv_event().unwrap().is_some() {}
    assert_eq!(server.join().unwrap(), count);
}
