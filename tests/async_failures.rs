//! Async streams that block and fail at bad moments, and who is told.
#![cfg(all(feature = "futures-io", feature = "std"))]

mod common;

use std::cell::RefCell;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use common::stalling::{Link, Stalling, Still, Woken};
use common::{Side, complete_frames, frames};
use futures_util::{FutureExt, Sink};
use sansocket::frame::Opcode;
use sansocket::futures_io::{Error, WebSocket};
use sansocket::{CloseOutcome, Config, Event, Message, ProtocolError};

type Server = WebSocket<Stalling, Still>;

/// A server, and what its peer sees of the stream.
fn server(config: Config) -> (Server, Rc<RefCell<Link>>) {
    let stream = Stalling::prompt();
    let link = stream.0.clone();
    let connection = Side::Server.connection(config);
    let server = WebSocket::new(stream, Still(Instant::now()), connection);
    (server, link)
}

/// A task that one polls oneself.
#[derive(Default)]
struct Task(Arc<Woken>);

impl Task {
    fn poll<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        let waker = Waker::from(self.0.clone());
        future.poll(&mut Context::from_waker(&waker))
    }

    /// Polls as often as it is woken; gives how often that was, at most 1000 times.
    fn run<F: Future>(&self, mut future: Pin<&mut F>) -> (Poll<F::Output>, usize) {
        for polls in 1..1000 {
            let result = self.poll(future.as_mut());
            if result.is_ready() || !self.0.take() {
                return (result, polls);
            }
        }
        (Poll::Pending, 1000)
    }
}

/// The kind of the stream's error that `result` has to be.
#[track_caller]
fn io_error<T>(result: Option<Result<T, Error>>) -> ErrorKind {
    match result {
        Some(Err(Error::Io(error))) => error.kind(),
        Some(Err(other)) => panic!("{other:?}"),
        Some(Ok(_)) => panic!("no error"),
        None => panic!("it waits"),
    }
}

#[test]
fn after_a_failed_write_amid_a_frame_nothing_is_written_and_what_has_come_can_be_read() {
    let (mut server, link) = server(Config::new());
    link.borrow_mut().writes_block = true;
    // Two pings: the second pong waits for the first to leave.
    link.borrow_mut().arrive(&Side::Server.ping(b"1"));
    link.borrow_mut().arrive(&Side::Server.ping(b"2"));
    for payload in [b"1", b"2"] {
        match server.recv_event().now_or_never() {
            Some(Ok(Some(Event::Ping(data)))) => assert_eq!(data, payload),
            other => panic!("{other:?}"),
        }
    }
    assert!(server.send("hello").now_or_never().is_none());
    link.borrow_mut().writes_block = false;
    link.borrow_mut().write_fails_once = true;
    assert_eq!(
        io_error(server.flush().now_or_never()),
        ErrorKind::OutOfMemory
    );
    // The stream would take bytes again, but the peer has lost some.
    assert_eq!(
        io_error(server.send("again").now_or_never()),
        ErrorKind::OutOfMemory
    );
    assert_eq!(
        io_error(server.flush().now_or_never()),
        ErrorKind::OutOfMemory
    );
    link.borrow_mut().arrive(&Side::Server.text("hi"));
    let received = server.recv().now_or_never().unwrap().unwrap();
    assert_eq!(received, Some("hi".into()));
    assert!(server.recv().now_or_never().is_none());
    assert_eq!(link.borrow().written, b"");
}

#[test]
fn a_send_that_waits_is_an_error_when_the_receive_half_finds_that_writes_fail() {
    let (server, link) = server(Config::new());
    let (mut receive, mut send) = server.split();
    link.borrow_mut().writes_block = true;
    let (sender, receiver) = (Task::default(), Task::default());
    let mut sending = pin!(send.send("hello"));
    assert!(sender.poll(sending.as_mut()).is_pending());
    link.borrow_mut().writes_block = false;
    link.borrow_mut().write_fails_once = true;
    let mut receiving = pin!(receive.recv());
    assert!(receiver.poll(receiving.as_mut()).is_pending());
    assert!(sender.0.take(), "nobody wakes it");
    match sender.poll(sending) {
        Poll::Ready(result) => assert_eq!(io_error(Some(result)), ErrorKind::OutOfMemory),
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn a_flush_that_waits_is_woken_when_the_receive_half_finds_it_done() {
    let (server, link) = server(Config::new());
    let (mut receive, mut send) = server.split();
    link.borrow_mut().flushes_block = true;
    let (sender, receiver) = (Task::default(), Task::default());
    let mut sending = pin!(send.send("hello"));
    assert!(sender.poll(sending.as_mut()).is_pending());
    link.borrow_mut().flushes_block = false;
    let mut receiving = pin!(receive.recv());
    assert!(receiver.poll(receiving.as_mut()).is_pending());
    assert!(sender.0.take(), "nobody wakes it");
    assert!(matches!(sender.poll(sending), Poll::Ready(Ok(()))));
    assert_eq!(link.borrow().written, b"\x81\x05hello");
}

#[test]
fn a_send_that_waits_is_woken_when_the_receive_half_has_written_for_it() {
    let (server, link) = server(Config::new());
    let (mut receive, mut send) = server.split();
    link.borrow_mut().writes_block = true;
    let (sender, receiver) = (Task::default(), Task::default());
    let mut sending = pin!(send.send("hello"));
    assert!(sender.poll(sending.as_mut()).is_pending());
    // Without a wake-up: the receive half comes first.
    link.borrow_mut().writes_block = false;
    let mut receiving = pin!(receive.recv());
    assert!(receiver.poll(receiving.as_mut()).is_pending());
    assert!(sender.0.take(), "nobody wakes it");
    assert!(matches!(sender.poll(sending), Poll::Ready(Ok(()))));
}

#[test]
fn both_halves_are_woken_when_the_stream_takes_bytes_again() {
    let (server, link) = server(Config::new());
    let (mut receive, mut send) = server.split();
    link.borrow_mut().writes_block = true;
    let (sender, receiver) = (Task::default(), Task::default());
    let mut sending = pin!(send.send("hello"));
    assert!(sender.poll(sending.as_mut()).is_pending());
    link.borrow_mut().arrive(&Side::Server.ping(b"?"));
    // The pong waits too, and so did the receive half, last.
    assert!(matches!(
        receive.recv_event().now_or_never(),
        Some(Ok(Some(Event::Ping(b"?"))))
    ));
    let mut receiving = pin!(receive.recv());
    assert!(receiver.poll(receiving.as_mut()).is_pending());
    link.borrow_mut().unblock();
    assert!(sender.0.take() && receiver.0.take(), "nobody wakes them");
    assert!(receiver.poll(receiving).is_pending());
    assert!(matches!(sender.poll(sending), Poll::Ready(Ok(()))));
    assert_eq!(frames(&link.borrow().written).len(), 2);
}

#[test]
fn a_task_that_waits_on_both_halves_rests_while_the_stream_ends() {
    let (server, link) = server(Config::new());
    let (mut receive, mut send) = server.split();
    link.borrow_mut().writes_block = true;
    let task = Task::default();
    let mut both =
        pin!(async { futures_util::future::join(send.send(vec![1; 5000]), receive.recv()).await });
    let (result, _) = task.run(both.as_mut());
    assert!(result.is_pending());
    link.borrow_mut().arrive(b"\xFF\xFF");
    assert!(task.0.take());
    let (result, polls) = task.run(both.as_mut());
    assert!(result.is_pending());
    assert!(polls < 10, "polled {polls} times");
    link.borrow_mut().unblock();
    link.borrow_mut().ended = true;
    link.borrow_mut().wake_reader();
    let (result, polls) = task.run(both);
    assert!(polls < 10, "polled {polls} times");
    let Poll::Ready((sent, received)) = result else {
        panic!("it waits");
    };
    assert!(sent.is_ok(), "{sent:?}");
    assert!(matches!(received, Err(Error::Protocol(_))), "{received:?}");
    let written = frames(&link.borrow().written);
    let opcodes = written.iter().map(|(header, _)| header.opcode);
    assert!(opcodes.eq([Opcode::Binary, Opcode::Close]), "{written:?}");
}

#[test]
fn a_sink_that_was_ready_takes_its_message_though_a_pong_has_come_between() {
    let (server, link) = server(Config::new().write_limit(1000));
    let (mut receive, mut send) = server.split();
    link.borrow_mut().writes_block = true;
    // One byte below the limit, its header included.
    assert!(send.feed(vec![1; 995]).now_or_never().unwrap().is_ok());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut send).poll_ready(&mut cx).is_ready());
    link.borrow_mut().arrive(&Side::Server.ping(&[b'?'; 125]));
    assert!(matches!(
        receive.recv_event().now_or_never(),
        Some(Ok(Some(Event::Ping(_))))
    ));
    assert!(receive.with_connection(|connection| connection.queued()) > 1000);
    Pin::new(&mut send)
        .start_send(Message::from("taken"))
        .unwrap();
    // Who is not ready is not asked to take another one, and does not.
    assert!(Pin::new(&mut send).poll_ready(&mut cx).is_pending());
    link.borrow_mut().unblock();
    assert!(send.flush().now_or_never().unwrap().is_ok());
    let written = link.borrow().written.clone();
    let (frames, rest) = complete_frames(&written);
    assert_eq!(frames.len(), 3);
    assert!(rest.is_empty());
}

#[test]
fn a_violation_is_told_to_a_peer_that_reads_late_and_stays_the_error() {
    let (mut server, link) = server(Config::new());
    link.borrow_mut().writes_block = true;
    link.borrow_mut().arrive(b"\xFF\xFF");
    for _ in 0..3 {
        assert!(server.recv().now_or_never().is_none());
    }
    link.borrow_mut().unblock();
    link.borrow_mut().ended = true;
    for _ in 0..3 {
        let error = server.recv().now_or_never().unwrap().unwrap_err();
        assert!(
            matches!(error, Error::Protocol(ProtocolError::Header(_))),
            "{error:?}"
        );
    }
    let (code, _) = common::close_sent(&link.borrow().written).unwrap();
    assert_eq!(code, 1002);
    assert!(matches!(
        server.connection().outcome(),
        Some(CloseOutcome::Failed(_))
    ));
}
