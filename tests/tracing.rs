//! The events of the feature `tracing`.
#![cfg(all(feature = "tracing", feature = "handshake"))]

mod common;

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Side;
use common::pair::Pair;
use sansocket::handshake::server::Acceptance;
use sansocket::handshake::{Limits, Rejection, client, server};
use sansocket::{CloseCode, CloseFrame, Config, ReceiveBuffer, Timestamp};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the events as lines: the level, the message, the fields.
#[derive(Default, Clone)]
struct Collector(Arc<Mutex<Vec<String>>>);

struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => write!(self.fields, " {name}={value:?}").unwrap(),
        }
    }
}

impl Subscriber for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        assert_eq!(event.metadata().target(), "sansocket");
        let mut line = Line {
            message: String::new(),
            fields: String::new(),
        };
        event.record(&mut line);
        let level = event.metadata().level();
        let line = format!("{level} {}{}", line.message, line.fields);
        self.0.lock().unwrap().push(line);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The events of some work.
fn events(work: impl FnOnce()) -> Vec<String> {
    let collector = Collector::default();
    tracing::subscriber::with_default(collector.clone(), work);
    let lines = collector.0.lock().unwrap();
    lines.clone()
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_closing_handshake_tells_code_reason_and_outcome_of_both() {
    let mut pair = Pair::new(Config::new(), Config::new());
    let seen = events(|| {
        let frame = CloseFrame::new(CloseCode::GOING_AWAY, "maintenance");
        pair.server.connection.close(frame).unwrap();
        pair.run();
    });
    let closed = [
        r#"DEBUG close sent code=1001 reason="maintenance""#,
        r#"DEBUG close sent code=1001 reason="""#,
        r#"DEBUG connection closed code=1001 reason="maintenance" outcome=closed with 1001 (going away): maintenance"#,
        r#"DEBUG connection closed code=1001 reason="" outcome=closed with 1001 (going away)"#,
    ];
    assert_eq!(seen, closed);
}

#[test]
fn a_lost_connection_is_told_once() {
    let mut pair = Pair::new(Config::new(), Config::new());
    let seen = events(|| {
        pair.cut();
        pair.client.connection.receive_eof();
    });
    let lost =
        "INFO connection lost code=1006 outcome=the transport ended without a closing handshake";
    assert_eq!(seen, [lost, lost]);
}

#[test]
fn a_limit_is_told_with_its_name_and_value() {
    let config = Config::new().max_message_size(1000);
    let seen = events(|| {
        let mut server = Side::Server.endpoint(config);
        server.feed(&Side::Server.binary(&[0; 1001]));
    });
    assert_eq!(
        seen,
        [
            r#"DEBUG close sent code=1009 reason="message of more than 1000 bytes""#,
            r#"WARN limit hit limit="max_message_size" value=1000"#,
            "WARN connection failed code=1006 close_code=1009 outcome=failed: message of more than \
             1000 bytes",
        ]
    );
    let seen = events(|| {
        let mut server = Side::Server.endpoint(Config::new());
        server.feed(&Side::Client.text("not masked"));
    });
    assert_eq!(seen.len(), 2, "no limit: {seen:?}");
    assert!(seen[1].contains("close_code=1002"), "{seen:?}");
}

#[test]
fn heartbeats_tell_pings_round_trips_and_what_is_late_or_missed() {
    let keeps_alive = Config::new().keep_alive(100 * MS, 10 * MS);
    let mut pair = Pair::new(keeps_alive.clone(), Config::new());
    let seen = events(|| pair.wait(250 * MS));
    let beat = |number| {
        [
            format!("DEBUG ping sent number={number}"),
            format!("DEBUG pong received number={number} round_trip_us=0"),
        ]
    };
    assert_eq!(seen, [beat(1), beat(2)].concat());

    let mut client = Side::Client.endpoint(keeps_alive);
    let mut now = Timestamp::ZERO;
    let seen = events(|| {
        client.connection.handle_timeout(now);
        now = now.saturating_add(100 * MS);
        client.connection.handle_timeout(now);
        client.output();
        client.feed(&Side::Client.text("alive"));
        now = now.saturating_add(5 * MS);
        client.connection.handle_timeout(now);
        now = now.saturating_add(10 * MS);
        client.connection.handle_timeout(now);
    });
    let expected = [
        "DEBUG ping sent number=1",
        "TRACE pong late number=1 is_sent=true",
        "WARN pong missed number=1",
        r#"DEBUG close sent code=1011 reason="no pong in time""#,
        "WARN connection timed out code=1006 outcome=the peer did not answer a keep-alive ping in time",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn an_idle_connection_is_told() {
    let mut pair = Pair::new(Config::new(), Config::new().idle_timeout(100 * MS));
    let seen = events(|| pair.wait(100 * MS));
    assert_eq!(seen[0], "DEBUG idle for too long timeout_us=100000");
}

fn start() -> client::Handshake {
    let request = client::Request::new("ws://a/".parse().unwrap()).subprotocol("chat");
    request.start(*b"the sample nonce").unwrap()
}

fn received(bytes: &[u8]) -> ReceiveBuffer {
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(bytes);
    rx
}

#[test]
fn a_handshake_that_succeeds_is_told_by_both() {
    let seen = events(|| {
        let handshake = start();
        let mut rx = received(handshake.request());
        let server::Progress::Request(request) =
            server::Handshake::new(Limits::new()).receive(&mut rx)
        else {
            panic!("no request");
        };
        let acceptance = Acceptance::new().subprotocol("chat");
        let mut rx = received(request.accept(acceptance).unwrap().response());
        let progress = handshake.receive(&mut rx);
        assert!(matches!(progress, client::Progress::Response(_)));
    });
    assert_eq!(
        seen,
        [
            r#"DEBUG request accepted status=101 subprotocol="chat" extensions=0"#,
            r#"DEBUG response accepted status=101 subprotocol="chat" extensions=0"#,
        ]
    );
}

#[test]
fn a_handshake_that_fails_is_told_with_its_status() {
    let seen = events(|| {
        let handshake = start();
        let mut rx = received(handshake.request());
        let server::Progress::Request(request) =
            server::Handshake::new(Limits::new()).receive(&mut rx)
        else {
            panic!("no request");
        };
        let mut rx = received(&request.reject(Rejection::new(403)).unwrap());
        handshake.receive(&mut rx);
    });
    assert_eq!(
        seen,
        [
            "DEBUG request rejected status=403",
            "WARN handshake failed status=403 error=the server answered with status 403 Forbidden \
             instead of 101",
        ]
    );

    let seen = events(|| {
        let handshake = server::Handshake::new(Limits::new().max_head_size(100));
        handshake.receive(&mut received(&[b'x'; 101]));
        let handshake = server::Handshake::new(Limits::new());
        handshake.receive(&mut received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        start().receive(&mut received(b"\x15\x03"));
    });
    assert_eq!(
        seen,
        [
            r#"WARN limit hit limit="max_head_size" value=100"#,
            "DEBUG request invalid status=431 error=the HTTP head is larger than 100 bytes",
            "DEBUG request invalid status=426 error=this is a WebSocket server: the header Upgrade: \
             websocket is missing",
            "WARN handshake failed error=the first bytes look like TLS, not like HTTP",
        ]
    );
}

#[test]
fn messages_pings_and_pongs_of_ones_own_are_not_told() {
    let mut pair = Pair::new(Config::new(), Config::new());
    let seen = events(|| {
        for _ in 0..100 {
            pair.client.connection.send_text("hello").unwrap();
            pair.client.connection.ping(b"?").unwrap();
            pair.server.connection.send_binary(&[0; 10_000]).unwrap();
            pair.run();
        }
    });
    assert_eq!(seen, [""; 0]);
}
