//! Faults between adapter and engine: each kind, in reads and in writes, with each adapter.
#![cfg(all(feature = "futures-io", feature = "tokio"))]

mod common;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use common::stalling::{Still, Woken};
use common::{SIDES, Side, complete_frames, data, frames, text};
use sansocket::blocking::{self, Plain};
use sansocket::{CloseOutcome, Config, Connection, Message, futures_io, tokio};

/// What a call does.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// It moves so many bytes, as far as there are.
    Moves(usize),
    /// It asks to be called again.
    Blocks,
    /// It was interrupted. Async streams may not say so, and ask to be called again.
    IsInterrupted,
    /// It fails.
    Fails(ErrorKind),
    /// It says that it has moved so many bytes, whatever the truth.
    Claims(usize),
}

use Does::*;

/// A stream whose calls do what its scripts say. When these have ended, reads give what has not been
/// read, then block, and writes take all.
#[derive(Debug, Default)]
struct Faulty {
    incoming: VecDeque<u8>,
    reads: VecDeque<Does>,
    writes: VecDeque<Does>,
    written: Vec<u8>,
}

impl Faulty {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.reads.pop_front().unwrap_or(Moves(usize::MAX)) {
            Moves(most) => match self.incoming.len().min(most).min(to.len()) {
                0 => Err(ErrorKind::WouldBlock.into()),
                n => Read::read(&mut self.incoming, &mut to[..n]),
            },
            Claims(n) => Ok(n),
            does => Err(does.error()),
        }
    }

    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self.writes.pop_front().unwrap_or(Moves(usize::MAX)) {
            Moves(most) => {
                let n = from.len().min(most);
                self.written.extend_from_slice(&from[..n]);
                Ok(n)
            }
            Claims(n) => Ok(n),
            does => Err(does.error()),
        }
    }
}

impl Does {
    fn error(self) -> io::Error {
        match self {
            Fails(kind) => kind.into(),
            IsInterrupted => ErrorKind::Interrupted.into(),
            _ => ErrorKind::WouldBlock.into(),
        }
    }
}

/// The stream, which the test looks at too.
#[derive(Debug, Clone, Default)]
struct Stream(Rc<RefCell<Faulty>>);

impl Read for Stream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(to)
    }
}

impl Write for Stream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a call is to an async stream: one that blocks wakes at once if that will go on.
fn poll(cx: &Context<'_>, goes_on: bool, result: io::Result<usize>) -> Poll<io::Result<usize>> {
    match result {
        Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => {
            if goes_on {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        }
        result => Poll::Ready(result),
    }
}

impl ::futures_io::AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut stream = self.0.borrow_mut();
        let result = stream.read(to);
        poll(cx, !stream.incoming.is_empty(), result)
    }
}

impl ::futures_io::AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll(cx, true, self.0.borrow_mut().write(from))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl ::tokio::io::AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ::tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let to = room.initialize_unfilled();
        let most = to.len();
        let n = ready!(::futures_io::AsyncRead::poll_read(self, cx, to))?;
        if n > most {
            // tokio's buffer panics if it is told so. All that a stream can do is to put another one
            // in its place.
            *room = ::tokio::io::ReadBuf::new(vec![0; most + 1].leak());
        }
        room.advance(n.min(most + 1));
        Poll::Ready(Ok(()))
    }
}

impl ::tokio::io::AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        ::futures_io::AsyncWrite::poll_write(self, cx, from)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What an adapter said, other than that all is well.
#[derive(Debug, PartialEq, Eq)]
enum Failed {
    Io(ErrorKind),
    Lost,
    /// Nothing more has come.
    Waits,
    Other(String),
}

impl Failed {
    fn of(error: blocking::Error) -> Self {
        match error {
            error if error.is_blocked() => Self::Waits,
            blocking::Error::Io(error) => Self::Io(error.kind()),
            blocking::Error::Ended(CloseOutcome::Lost) => Self::Lost,
            other => Self::Other(other.to_string()),
        }
    }
}

/// A WebSocket through one of the adapters.
trait Adapter {
    fn recv(&mut self) -> Result<Option<Message>, Failed>;
    fn send(&mut self, message: Message) -> Result<(), Failed>;
}

/// Calls again as long as the stream asks for it.
fn again<T>(mut call: impl FnMut() -> Result<T, blocking::Error>) -> Result<T, Failed> {
    for _ in 0..1_000_000 {
        match call().map_err(Failed::of) {
            Err(Failed::Waits) => {}
            result => return result,
        }
    }
    Err(Failed::Waits)
}

impl Adapter for (blocking::WebSocket<Plain<Stream>>, Stream) {
    fn recv(&mut self) -> Result<Option<Message>, Failed> {
        loop {
            let result = self.0.recv().map_err(Failed::of);
            let stream = self.1.0.borrow();
            if result != Err(Failed::Waits) || stream.incoming.is_empty() {
                return result;
            }
        }
    }

    fn send(&mut self, message: Message) -> Result<(), Failed> {
        match self.0.send(message).map_err(Failed::of) {
            Ok(()) | Err(Failed::Waits) => again(|| self.0.flush()),
            result => result,
        }
    }
}

/// Polls as long as the stream wakes.
fn run<T>(future: impl Future<Output = Result<T, blocking::Error>>) -> Result<T, Failed> {
    let mut future = pin!(future);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result.map_err(Failed::of);
        }
        if !woken.take() {
            return Err(Failed::Waits);
        }
    }
}

impl Adapter for tokio::WebSocket<Stream> {
    fn recv(&mut self) -> Result<Option<Message>, Failed> {
        run(self.recv())
    }

    fn send(&mut self, message: Message) -> Result<(), Failed> {
        run(self.send(message))
    }
}

impl Adapter for futures_io::WebSocket<Stream, Still> {
    fn recv(&mut self) -> Result<Option<Message>, Failed> {
        run(self.recv())
    }

    fn send(&mut self, message: Message) -> Result<(), Failed> {
        run(self.send(message))
    }
}

type New = fn(Stream, Connection) -> Box<dyn Adapter>;

const ADAPTERS: [(&str, New); 3] = [
    ("blocking", |stream, connection| {
        let websocket = blocking::WebSocket::new(Plain(stream.clone()), connection);
        Box::new((websocket, stream))
    }),
    ("tokio", |stream, connection| {
        Box::new(tokio::WebSocket::new(stream, connection))
    }),
    ("futures-io", |stream, connection| {
        let clock = Still(Instant::now());
        Box::new(futures_io::WebSocket::new(stream, clock, connection))
    }),
];

/// Runs a test with each adapter, for each role.
fn with_each(test: impl Fn(&str, Side, &mut dyn Adapter, &Stream)) {
    for (name, new) in ADAPTERS {
        for side in SIDES {
            let stream = Stream::default();
            let mut adapter = new(stream.clone(), side.connection(Config::new()));
            test(name, side, &mut *adapter, &stream);
        }
    }
}

#[test]
fn nothing_is_lost_in_a_storm_of_short_blocked_and_interrupted_calls() {
    let messages: [Message; 4] = [
        text(300).into(),
        data(70_000).into(),
        "".into(),
        data(20).into(),
    ];
    let mut storm = Vec::new();
    for size in [1, 2, 7, 1, 1500] {
        storm.push(Moves(size));
        storm.extend([Blocks; 100]);
        storm.extend([IsInterrupted; 100]);
    }
    with_each(|name, side, adapter, stream| {
        for message in &messages {
            stream.0.borrow_mut().incoming.extend(match message {
                Message::Text(text) => side.text(text),
                Message::Binary(data) => side.binary(data),
            });
        }
        for _ in 0..50 {
            stream.0.borrow_mut().reads.extend(&storm);
            stream.0.borrow_mut().writes.extend(&storm);
        }
        for message in &messages {
            let received = adapter.recv().unwrap().unwrap();
            assert!(received == *message, "{name}, {side:?}");
            adapter.send(received).unwrap();
        }
        assert_eq!(adapter.recv(), Err(Failed::Waits), "{name}, {side:?}");
        let written = frames(&stream.0.borrow().written);
        let written = written.iter().map(|(_, payload)| &payload[..]);
        assert!(written.eq(messages.iter().map(Message::as_bytes)));
    });
}

#[test]
fn a_read_that_fails_anywhere_ends_the_connection_behind_what_was_whole() {
    for (fault, error) in [
        (
            Fails(ErrorKind::ConnectionReset),
            Failed::Io(ErrorKind::ConnectionReset),
        ),
        (Fails(ErrorKind::Other), Failed::Io(ErrorKind::Other)),
        (Claims(usize::MAX), Failed::Io(ErrorKind::InvalidData)),
        (Claims(0), Failed::Lost),
    ] {
        for at in 0..Side::Server.text("hello").len() {
            with_each(|name, side, adapter, stream| {
                let frame = side.text("hello");
                if at >= frame.len() {
                    return;
                }
                {
                    let mut stream = stream.0.borrow_mut();
                    stream.incoming.extend(&frame);
                    stream.incoming.extend(&frame);
                    stream.incoming.extend(&frame);
                    stream.reads.extend([Moves(frame.len() + at), fault]);
                }
                let what = format!("{name}, {side:?}, {fault:?} at {at}");
                assert_eq!(adapter.recv(), Ok(Some("hello".into())), "{what}");
                assert_eq!(adapter.recv().as_ref(), Err(&error), "{what}");
                // What the stream would still give is of no use.
                for _ in 0..3 {
                    assert_eq!(adapter.recv(), Err(Failed::Lost), "{what}");
                }
                assert!(adapter.send("late".into()).is_err(), "{what}");
                assert_eq!(stream.0.borrow().written, b"", "{what}");
            });
        }
    }
}

#[test]
fn behind_a_write_that_fails_anywhere_nothing_is_written_and_what_has_come_is_read() {
    for (fault, kind) in [
        (Fails(ErrorKind::BrokenPipe), ErrorKind::BrokenPipe),
        (Fails(ErrorKind::Other), ErrorKind::Other),
        (Claims(0), ErrorKind::WriteZero),
        (Claims(usize::MAX), ErrorKind::InvalidData),
    ] {
        for at in 1..11 {
            with_each(|name, side, adapter, stream| {
                let what = format!("{name}, {side:?}, {fault:?} at {at}");
                stream.0.borrow_mut().writes.extend([Moves(at), fault]);
                stream.0.borrow_mut().incoming.extend(side.text("hi"));
                if at >= side.other().text("hello").len() {
                    return;
                }
                assert_eq!(
                    adapter.send("hello".into()),
                    Err(Failed::Io(kind)),
                    "{what}"
                );
                assert!(adapter.send("again".into()).is_err(), "{what}");
                assert_eq!(adapter.recv(), Ok(Some("hi".into())), "{what}");
                let written = stream.0.borrow().written.clone();
                assert_eq!(written.len(), at, "{what}");
                assert!(complete_frames(&written).0.is_empty(), "{what}");
            });
        }
    }
}
