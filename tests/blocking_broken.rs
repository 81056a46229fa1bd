//! The blocking adapter on a stream that fails amid a frame, and then takes bytes again.
#![cfg(feature = "std")]

mod common;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

use common::Side;
use sansocket::blocking::{Error, Plain, WebSocket};
use sansocket::{Config, Connection};

/// Writes take 3 bytes, fail once, and take all from then on. Reads give what there is, then block.
#[derive(Debug)]
struct Flaky {
    reads: VecDeque<u8>,
    writes: usize,
    written: Vec<u8>,
}

impl Read for Flaky {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.reads.read(to)? {
            0 => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Flaky {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        let n = match self.writes {
            1 => from.len().min(3),
            2 => return Err(ErrorKind::ConnectionReset.into()),
            _ => from.len(),
        };
        self.written.extend_from_slice(&from[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn server(received: &[u8]) -> WebSocket<Plain<Flaky>> {
    let stream = Flaky {
        reads: received.to_vec().into(),
        writes: 0,
        written: Vec::new(),
    };
    WebSocket::new(Plain(stream), Connection::server(Config::new()))
}

#[track_caller]
fn is_reset(result: Result<(), Error>) {
    match result {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_written_behind_half_a_frame_though_the_stream_would_take_it() {
    let mut server = server(&[]);
    is_reset(server.send("hello"));
    is_reset(server.send("again"));
    is_reset(server.ping(b"?"));
    is_reset(server.flush());
    assert_eq!(server.stream().0.written, b"\x81\x05h");
}

#[test]
fn a_flush_fails_if_what_was_queued_was_lost_while_receiving() {
    let mut server = server(&Side::Server.text("hi"));
    server.feed("hello").unwrap();
    assert_eq!(server.recv().unwrap(), Some("hi".into()));
    assert!(server.recv().unwrap_err().is_blocked());
    is_reset(server.flush());
    assert_eq!(server.stream().0.written, b"\x81\x05h");
}
