//! The blocking adapter on a stream that stalls, splits, fails and lies, as its script says.
#![cfg(feature = "std")]

mod common;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use common::{Side, complete_frames, data, frames, text};
use sansocket::blocking::{Error, Transport, WebSocket};
use sansocket::frame::Opcode;
use sansocket::{CloseOutcome, Config, Connection, Event, Message, SendError};

/// What a call does: one for each read or write, in turn.
#[derive(Debug, Clone)]
enum Does {
    /// A read gives these bytes; what there is no room for comes with the next one.
    Gives(Vec<u8>),
    /// A write takes so many bytes at the most.
    Takes(usize),
    Fails(ErrorKind),
    /// So many bytes, whatever the truth.
    Claims(usize),
}

use Does::*;

/// A stream that does what its scripts say. When these have ended, reads block, and writes take all.
#[derive(Debug, Default)]
struct Scripted {
    reads: VecDeque<Does>,
    writes: VecDeque<Does>,
    written: Vec<u8>,
    /// Writes go to here, and move on with a flush: with these failures, in turn, first.
    held_back: Vec<u8>,
    flushes: Option<VecDeque<ErrorKind>>,
    read_timeout: Timeout,
    write_timeout: Timeout,
}

/// A time-out whose n-th setting fails.
#[derive(Debug, Default)]
struct Timeout {
    value: Cell<Option<Duration>>,
    sets: Cell<usize>,
    fails_at: Option<usize>,
}

impl Timeout {
    fn set(&self, value: Option<Duration>) -> io::Result<()> {
        self.sets.set(self.sets.get() + 1);
        if self.fails_at == Some(self.sets.get()) {
            return Err(io::Error::other("no time-outs today"));
        }
        self.value.set(value);
        Ok(())
    }
}

impl Read for Scripted {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.reads.pop_front() {
            Some(Gives(mut bytes)) => {
                let n = bytes.len().min(to.len());
                let rest = bytes.split_off(n);
                to[..n].copy_from_slice(&bytes);
                if !rest.is_empty() {
                    self.reads.push_front(Gives(rest));
                }
                Ok(n)
            }
            Some(Fails(kind)) => Err(kind.into()),
            Some(Claims(n)) => Ok(n),
            Some(Takes(_)) => panic!("a read takes nothing"),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Scripted {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let n = match self.writes.pop_front() {
            Some(Takes(most)) => most.min(from.len()),
            Some(Fails(kind)) => return Err(kind.into()),
            Some(Claims(n)) => return Ok(n),
            Some(Gives(_)) => panic!("a write gives nothing"),
            None => from.len(),
        };
        match self.flushes {
            Some(_) => self.held_back.extend_from_slice(&from[..n]),
            None => self.written.extend_from_slice(&from[..n]),
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.flushes.as_mut().and_then(VecDeque::pop_front) {
            Some(kind) => Err(kind.into()),
            None => {
                self.written.append(&mut self.held_back);
                Ok(())
            }
        }
    }
}

impl Transport for Scripted {
    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.read_timeout.value.get())
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.read_timeout.set(timeout)
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.write_timeout.value.get())
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.write_timeout.set(timeout)
    }

    fn flush_before(&mut self, _: Option<Instant>) -> io::Result<()> {
        self.flush()
    }
}

/// A server on a stream with these scripts.
fn server<const R: usize, const W: usize>(
    reads: [Does; R],
    writes: [Does; W],
) -> WebSocket<Scripted> {
    let stream = Scripted {
        reads: reads.into(),
        writes: writes.into(),
        ..Scripted::default()
    };
    WebSocket::new(stream, Connection::server(Config::new()))
}

/// A text as the server's peer sends it.
fn hi() -> Vec<u8> {
    Side::Server.text("hi")
}

/// The kind of the stream's error that `result` has to be.
#[track_caller]
fn io_error<T>(result: Result<T, Error>) -> ErrorKind {
    match result {
        Err(Error::Io(error)) => error.kind(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("no error"),
    }
}

/// The next message, however often the stream asks to be called again.
fn next_message(websocket: &mut WebSocket<Scripted>) -> Message {
    for _ in 0..1_000_000 {
        match websocket.messages().next() {
            Some(Ok(message)) => return message,
            Some(Err(error)) => assert!(error.is_blocked(), "{error:?}"),
            None => panic!("the end instead of a message"),
        }
    }
    panic!("no message ever");
}

#[test]
fn a_write_of_no_bytes_is_an_error_and_not_tried_for_ever() {
    let mut server = server([], [Takes(1), Claims(0)]);
    assert_eq!(io_error(server.send("a")), ErrorKind::WriteZero);
}

#[test]
fn a_lent_message_of_which_a_part_has_left_is_not_cut_short() {
    let large = data(2000);
    let mut server = server([], [Takes(4), Takes(496), Fails(ErrorKind::WouldBlock)]);
    server.send_binary(&large).unwrap();
    assert_eq!(server.connection().queued(), 1504);
    server.flush().unwrap();
    assert_eq!(frames(&server.stream().written)[0].1, large);
}

#[test]
fn a_write_of_a_lent_message_that_fails_is_the_last() {
    let mut server = server([], [Takes(4), Takes(496), Fails(ErrorKind::BrokenPipe)]);
    assert_eq!(
        io_error(server.send_text(&text(2000))),
        ErrorKind::BrokenPipe
    );
    assert_eq!(io_error(server.send_text("more")), ErrorKind::BrokenPipe);
    assert_eq!(server.connection().queued(), 0);
    assert_eq!(server.stream().written.len(), 500);
}

#[test]
fn a_write_that_claims_more_bytes_than_there_are_is_an_error() {
    for claim in [4, 1000, usize::MAX] {
        let mut server = server([], [Claims(claim)]);
        assert_eq!(io_error(server.send("a")), ErrorKind::InvalidData);
    }
}

#[test]
fn a_read_that_claims_more_bytes_than_there_is_room_for_is_an_error() {
    for claim in [1 << 24, usize::MAX] {
        let mut server = server([Gives(hi()), Claims(claim)], []);
        assert_eq!(next_message(&mut server), "hi".into());
        assert_eq!(io_error(server.recv_event()), ErrorKind::InvalidData);
        let error = server.recv_event().unwrap_err();
        assert!(
            matches!(error, Error::Ended(CloseOutcome::Lost)),
            "{error:?}"
        );
    }
}

#[test]
fn interrupted_calls_are_made_again_unnoticed() {
    let interrupted = || Fails(ErrorKind::Interrupted);
    let mut server = server(
        [interrupted(), interrupted(), Gives(hi())],
        [interrupted(), Takes(2), interrupted()],
    );
    assert_eq!(server.messages().next().unwrap().unwrap(), "hi".into());
    server.send("hi").unwrap();
    assert_eq!(server.stream().written, b"\x81\x02hi");
}

#[test]
fn nothing_is_lost_in_a_storm_of_single_bytes_and_blocked_calls() {
    let messages = [
        Message::from(text(300)),
        Message::from(data(70_000)),
        Message::from(""),
        Message::from(data(20)),
    ];
    for (side, lent) in [
        (Side::Client, false),
        (Side::Client, true),
        (Side::Server, false),
        (Side::Server, true),
    ] {
        for blocked in [ErrorKind::WouldBlock, ErrorKind::TimedOut] {
            let mut stream = Scripted::default();
            for message in &messages {
                let frame = match message {
                    Message::Text(text) => side.text(text),
                    Message::Binary(data) => side.binary(data),
                };
                for byte in frame {
                    stream.reads.extend([Gives(vec![byte]), Fails(blocked)]);
                    stream.writes.extend([Takes(1), Fails(blocked)]);
                }
            }
            let mut websocket = WebSocket::new(stream, side.connection(Config::new()));
            for message in &messages {
                let received = next_message(&mut websocket);
                assert_eq!(&received, message);
                match (&received, lent) {
                    (Message::Text(text), true) => websocket.send_text(text).unwrap(),
                    (Message::Binary(data), true) => websocket.send_binary(data).unwrap(),
                    (_, false) => websocket.send(received).unwrap(),
                }
            }
            while let Err(error) = websocket.flush() {
                assert!(error.is_blocked(), "{error:?}");
            }
            let written = frames(&websocket.stream().written);
            let written: Vec<_> = written.iter().map(|(_, payload)| &payload[..]).collect();
            let expected: Vec<_> = messages.iter().map(Message::as_bytes).collect();
            assert!(written == expected, "{side:?}, {blocked:?}");
        }
    }
}

#[test]
fn bytes_read_before_a_time_out_cannot_be_restored_are_kept() {
    let stream = Scripted {
        reads: [Gives(hi()), Gives(hi())].into(),
        read_timeout: Timeout {
            fails_at: Some(2),
            ..Timeout::default()
        },
        ..Scripted::default()
    };
    // With a deadline, a time-out is set for each read, and restored after it.
    let config = Config::new().idle_timeout(Duration::from_secs(60));
    let mut server = WebSocket::new(stream, Connection::server(config));
    let mut received = Vec::new();
    for _ in 0..4 {
        match server.recv_event() {
            Ok(event) => received.extend(event.and_then(Event::into_message)),
            // The failure itself may show, now or later.
            Err(error) => assert!(matches!(error, Error::Io(_)), "{error:?}"),
        }
    }
    assert_eq!(received, ["hi".into(), "hi".into()]);
    assert!(server.stream().read_timeout.sets.get() >= 2);
}

#[test]
fn bytes_written_before_a_time_out_cannot_be_restored_are_not_written_again() {
    let stream = Scripted {
        writes: [Takes(3)].into(),
        write_timeout: Timeout {
            fails_at: Some(2),
            ..Timeout::default()
        },
        ..Scripted::default()
    };
    let config = Config::new().idle_timeout(Duration::from_secs(60));
    let mut server = WebSocket::new(stream, Connection::server(config));
    // A deadline is known from here on.
    assert!(server.recv_event().unwrap_err().is_blocked());
    let _ = server.send("hi");
    let _ = server.flush();
    assert!(server.stream().write_timeout.sets.get() >= 2);
    assert_eq!(server.stream().written, b"\x81\x02hi");
}

#[test]
fn a_stream_that_fails_amid_a_frame_it_gives_is_a_loss() {
    let frame = hi();
    let (first, _) = frame.split_at(frame.len() - 1);
    for kind in [ErrorKind::ConnectionReset, ErrorKind::Other] {
        let reads = [Gives(hi()), Gives(first.to_vec()), Fails(kind), Gives(hi())];
        let mut server = server(reads, []);
        assert_eq!(next_message(&mut server), "hi".into());
        assert_eq!(io_error(server.recv_event()), kind);
        for _ in 0..2 {
            let error = server.recv_event().unwrap_err();
            assert!(
                matches!(error, Error::Ended(CloseOutcome::Lost)),
                "{error:?}"
            );
        }
    }
}

#[test]
fn after_a_failed_write_amid_a_frame_nothing_is_written_and_what_has_come_can_be_read() {
    let mut server = server(
        [Gives([hi(), hi()].concat())],
        [Takes(3), Fails(ErrorKind::BrokenPipe)],
    );
    assert_eq!(io_error(server.send("hello")), ErrorKind::BrokenPipe);
    assert_eq!(next_message(&mut server), "hi".into());
    assert_eq!(next_message(&mut server), "hi".into());
    assert!(server.recv_event().unwrap_err().is_blocked());
    // Half a frame, and no other that the peer would take for its rest.
    assert_eq!(server.stream().written, b"\x81\x05h");
}

#[test]
fn pongs_leave_though_only_sending_goes_on() {
    let mut server = server([Gives(Side::Server.ping(b"?"))], []);
    assert!(matches!(server.recv_event(), Ok(Some(Event::Ping(b"?")))));
    assert_eq!(server.stream().written, b"");
    server.send("a").unwrap();
    let mut written = frames(&server.stream().written);
    written.sort_by_key(|(header, _)| header.opcode == Opcode::Pong);
    let opcodes = written.iter().map(|(header, _)| header.opcode);
    assert!(opcodes.eq([Opcode::Text, Opcode::Pong]), "{written:?}");
}

#[test]
fn pongs_leave_though_only_receiving_goes_on() {
    // The first write is blocked, and nothing is ever sent.
    let mut server = server(
        [
            Gives(Side::Server.ping(b"1")),
            Fails(ErrorKind::WouldBlock),
            Gives(hi()),
        ],
        [Fails(ErrorKind::WouldBlock), Takes(1)],
    );
    assert!(matches!(server.recv_event(), Ok(Some(Event::Ping(b"1")))));
    assert_eq!(next_message(&mut server), "hi".into());
    assert!(server.recv_event().unwrap_err().is_blocked());
    assert_eq!(server.stream().written, b"\x8a\x011");
}

#[test]
fn the_answer_to_a_close_frame_leaves_though_only_sending_goes_on() {
    let mut server = server([Gives(Side::Server.close(1000, "bye"))], []);
    assert!(matches!(
        server.recv_event(),
        Ok(Some(Event::Close(Some(_))))
    ));
    assert_eq!(server.stream().written, b"");
    // It comes back, since no data frame goes out any more.
    match server.send("late") {
        Err(Error::Send(SendError::Closing(message))) => assert_eq!(message, "late".into()),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.stream().written, b"\x88\x02\x03\xe8");
}

#[test]
fn the_answer_to_a_close_frame_leaves_though_only_receiving_goes_on() {
    let mut server = server(
        [Gives(Side::Server.close(1000, "bye")), Claims(0)],
        [Takes(1), Fails(ErrorKind::WouldBlock), Takes(2)],
    );
    assert!(matches!(
        server.recv_event(),
        Ok(Some(Event::Close(Some(_))))
    ));
    while let Err(error) = server.recv_event() {
        assert!(error.is_blocked(), "{error:?}");
    }
    let (frames, rest) = complete_frames(&server.stream().written);
    assert_eq!((frames.len(), rest), (1, &[][..]));
    assert_eq!(server.stream().written, b"\x88\x02\x03\xe8");
}

#[test]
fn a_stream_that_holds_bytes_back_is_flushed() {
    let mut server = server([Gives(Side::Server.ping(b"1"))], []);
    server.stream_mut().flushes = Some([ErrorKind::WouldBlock; 2].into());
    server.send("hi").unwrap();
    assert_eq!(server.stream().written, b"");
    assert_eq!(server.connection().queued(), 0);
    assert!(server.wants_write());
    assert!(matches!(server.recv_event(), Ok(Some(Event::Ping(b"1")))));
    assert!(server.recv_event().unwrap_err().is_blocked());
    assert_eq!(server.stream().written, b"\x81\x02hi\x8a\x011");
    assert!(!server.wants_write());
}

#[cfg(feature = "handshake")]
#[test]
fn handshakes_flush_a_stream_that_holds_bytes_back() {
    use sansocket::blocking::{Connector, Incoming, Step, read_request};
    use sansocket::handshake::{Limits, client::Request};

    // Each ends for want of an answer: what has been written by then is looked at.
    let stream = || Scripted {
        flushes: Some(VecDeque::new()),
        ..Scripted::default()
    };
    let request = Request::new("ws://example.com/".parse().unwrap());
    let client = Connector::new().handshake(request, stream()).unwrap();
    let Step::Blocked(client) = client.proceed().unwrap() else {
        panic!("done");
    };
    assert!(client.stream().written.ends_with(b"\r\n\r\n"));

    let mut stream = stream();
    stream
        .reads
        .push_back(Gives(b"GET / HTTP/1.0\r\n\r\n".to_vec()));
    let Incoming::Refused(refused) = read_request(stream, Limits::new()).unwrap() else {
        panic!("not refused");
    };
    let Step::Blocked(refused) = refused.answer().unwrap() else {
        panic!("done");
    };
    assert!(refused.stream().written.starts_with(b"HTTP/1.1 4"));
}
