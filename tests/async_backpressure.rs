//! What async WebSockets hold in memory, and how many writes their messages leave in.
#![cfg(all(feature = "tokio", feature = "std"))]

mod common;

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use common::Side;
use common::allocations::{Counting, measure};
use common::duplex::pair_with;
use futures_util::{FutureExt, Sink};
use sansocket::tokio::WebSocket;
use sansocket::{Chunk, Config, Delivery, Event, Message};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KIB: usize = 1024;

/// A stream that keeps no bytes, but counts.
#[derive(Debug, Default, Clone)]
struct Stream(Rc<RefCell<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    /// What is read next.
    incoming: &'static [u8],
    /// The number of slices of each write.
    writes: Vec<usize>,
    written: usize,
    flushes: usize,
    /// Writes wait.
    is_full: bool,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut counts = self.0.borrow_mut();
        if counts.incoming.is_empty() {
            return Poll::Pending;
        }
        let n = counts.incoming.len().min(room.remaining());
        let (now, later) = counts.incoming.split_at(n);
        counts.incoming = later;
        room.put_slice(now);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(from)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut counts = self.0.borrow_mut();
        if counts.is_full {
            return Poll::Pending;
        }
        let n = slices.iter().map(|slice| slice.len()).sum();
        counts.writes.push(slices.len());
        counts.written += n;
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn websocket(side: Side, config: Config) -> (WebSocket<Stream>, Stream) {
    let stream = Stream::default();
    let websocket = WebSocket::new(stream.clone(), side.connection(config));
    (websocket, stream)
}

#[test]
fn while_the_peer_does_not_read_sending_waits_and_little_is_held() {
    let limit = 64 * KIB;
    for (side, size) in [
        (Side::Server, 100),
        (Side::Client, 100),
        (Side::Server, 20 * KIB),
    ] {
        let (mut websocket, stream) = websocket(side, Config::new().write_limit(limit));
        stream.0.borrow_mut().is_full = true;
        let (fed, used) = measure(|| {
            let mut fed = 0;
            while let Some(result) = websocket.feed(vec![1; size]).now_or_never() {
                result.unwrap();
                fed += 1;
            }
            fed
        });
        let queued = websocket.connection().queued();
        assert!(queued <= limit, "{queued}");
        assert!(queued + size + 20 > limit, "{queued}");
        assert!(fed >= limit / (size + 20));
        // As the page of `Config` says.
        assert!(used.peak < 2 * limit as isize + 1000, "{side:?}: {used:?}");
        for _ in 0..1000 {
            assert!(websocket.feed(vec![1; size]).now_or_never().is_none());
            assert!(websocket.send(vec![1; size]).now_or_never().is_none());
            let chunk = vec![1; size];
            let chunk = Chunk::binary(&chunk);
            assert!(websocket.feed_chunk(chunk).now_or_never().is_none());
        }
        assert_eq!(websocket.connection().queued(), queued);
        stream.0.borrow_mut().is_full = false;
        websocket
            .send("room again")
            .now_or_never()
            .unwrap()
            .unwrap();
        assert_eq!(websocket.connection().queued(), 0);
    }
}

#[test]
fn a_large_message_that_has_left_leaves_no_memory_with_its_connection() {
    let payload = Bytes::from(vec![7; 200_000]);
    for side in [Side::Client, Side::Server] {
        let send = |take_at_once: bool| {
            let (websocket, stream) = websocket(side, Config::new());
            let (receive, mut send) = websocket.split();
            let ((), used) = measure(|| {
                for lent in [true, false] {
                    stream.0.borrow_mut().is_full = !take_at_once;
                    let mut future: Pin<Box<dyn Future<Output = _>>> = match lent {
                        true => Box::pin(send.send_binary(&payload)),
                        false => Box::pin(send.send(payload.clone())),
                    };
                    if !take_at_once {
                        assert!(future.as_mut().now_or_never().is_none());
                        stream.0.borrow_mut().is_full = false;
                    }
                    future.now_or_never().unwrap().unwrap();
                    stream.0.borrow_mut().writes = Vec::new();
                }
            });
            drop((receive, send));
            used
        };
        // What stays with the thread comes first.
        send(true);
        send(false);
        for take_at_once in [true, false] {
            let used = send(take_at_once);
            assert!(used.held < 1000, "{side:?}, {take_at_once}: {used:?}");
        }
        let used = send(true);
        assert!(side == Side::Client || used.largest < 1000, "{used:?}");
    }
}

#[test]
fn a_small_message_that_waits_holds_no_large_memory() {
    let large = vec![7; 30_000];
    for side in [Side::Client, Side::Server] {
        // Connection after connection finds the memory that the large message has left behind.
        for _ in 0..3 {
            let (mut other, _) = websocket(side, Config::new());
            for _ in 0..2 {
                other.feed("first").now_or_never().unwrap().unwrap();
                let _ = other.connection_mut().send_binary(&large);
                other.flush().now_or_never().unwrap().unwrap();
            }
            let (mut slow, stream) = websocket(side, Config::new());
            stream.0.borrow_mut().is_full = true;
            let text = "x".repeat(600);
            let ((), used) = measure(|| {
                assert!(slow.send_text(&text).now_or_never().is_none());
            });
            // What was the thread's is counted as having been there.
            assert!(used.held < 2000, "{side:?}: {used:?}");
            let (_, freed) = measure(|| drop(slow));
            assert!(freed.held > -4000, "{side:?}: {freed:?}");
        }
    }
}

#[test]
fn a_sink_holds_at_most_the_limit_and_one_message() {
    let (limit, size) = (10 * KIB, 3 * KIB);
    let (mut server, stream) = websocket(Side::Server, Config::new().write_limit(limit));
    stream.0.borrow_mut().is_full = true;
    let mut cx = Context::from_waker(Waker::noop());
    let mut sent = 0;
    while Pin::new(&mut server).poll_ready(&mut cx).is_ready() {
        let message = Message::from(vec![1; size]);
        Pin::new(&mut server).start_send(message).unwrap();
        sent += 1;
    }
    let queued = server.connection().queued();
    assert!(queued >= limit && queued < limit + size, "{queued}");
    assert_eq!(sent, limit.div_ceil(size + 4));
    // Who sends without asking gets it back.
    let error = Pin::new(&mut server).start_send("unasked".into());
    match error.unwrap_err() {
        sansocket::tokio::Error::Send(error) => {
            assert_eq!(error.into_message(), "unasked".into());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_flood_of_pings_from_a_peer_that_does_not_read_costs_no_memory() {
    let pings: &'static [u8] = Side::Server.ping(&[b'?'; 125]).repeat(10_000).leak();
    let (mut server, stream) = websocket(Side::Server, Config::new());
    stream.0.borrow_mut().is_full = true;
    stream.0.borrow_mut().incoming = pings;
    let (seen, used) = measure(|| {
        let mut seen = 0;
        while let Some(event) = server.recv_event().now_or_never() {
            assert!(matches!(event, Ok(Some(Event::Ping(_)))));
            seen += 1;
        }
        seen
    });
    assert_eq!(seen, 10_000);
    // One that is on its way, one that waits, and what is read into.
    assert!(server.connection().queued() < 300);
    assert!(used.peak < 100 * KIB as isize, "{used:?}");
}

#[test]
fn messages_that_are_fed_leave_in_one_write() {
    for side in [Side::Client, Side::Server] {
        let (mut websocket, stream) = websocket(side, Config::new());
        for n in 0..100 {
            websocket
                .feed(n.to_string())
                .now_or_never()
                .unwrap()
                .unwrap();
        }
        assert_eq!(stream.0.borrow().writes.len(), 0);
        websocket.flush().now_or_never().unwrap().unwrap();
        let counts = stream.0.borrow();
        assert_eq!((counts.writes.len(), counts.flushes), (1, 1));
    }
}

#[test]
fn the_answers_to_all_that_one_read_brought_leave_in_one_write() {
    let incoming: &'static [u8] = Side::Server.text("hi").repeat(100).leak();
    let (mut server, stream) = websocket(Side::Server, Config::new());
    stream.0.borrow_mut().incoming = incoming;
    let mut answered = 0;
    while let Some(message) = server.recv().now_or_never() {
        let message = message.unwrap().unwrap();
        server.feed(message).now_or_never().unwrap().unwrap();
        answered += 1;
    }
    assert_eq!(answered, 100);
    let counts = stream.0.borrow();
    assert_eq!((counts.writes.len(), counts.written), (1, 400));
}

#[test]
fn a_large_message_leaves_from_where_it_is_together_with_its_header() {
    let large = 1024 * KIB;
    for side in [Side::Client, Side::Server] {
        let (mut websocket, stream) = websocket(side, Config::new());
        let message = Bytes::from(vec![7; large]);
        let ((), used) = measure(|| {
            websocket.send(message).now_or_never().unwrap().unwrap();
        });
        assert_eq!(stream.0.borrow().writes, [2]);
        assert!(stream.0.borrow().written > large);
        assert!(used.largest < KIB, "copied: {used:?}");
    }
    // What is fed before and behind goes with it.
    let (mut server, stream) = websocket(Side::Server, Config::new().write_limit(3 * large));
    for message in [vec![1; 5], vec![2; large], vec![3; 5], vec![4; large]] {
        server.feed(message).now_or_never().unwrap().unwrap();
    }
    server.flush().now_or_never().unwrap().unwrap();
    assert_eq!(stream.0.borrow().writes, [4]);
}

/// So many bytes of heap memory does each of many WebSockets hold that wait, after a message was
/// received and answered.
fn held_while_idle(side: Side, config: &Config) -> isize {
    let message: &'static [u8] = side.binary(&[1; 10_000]).leak();
    let count = 100;
    let streams: Vec<_> = (0..count).map(|_| Stream::default()).collect();
    for stream in &streams {
        stream.0.borrow_mut().incoming = message;
        // Room for the counts of writes, which are not the WebSocket's.
        stream.0.borrow_mut().writes.reserve(10);
    }
    let mut websockets = Vec::with_capacity(count);
    let idle = |stream: &Stream| {
        let connection = side.connection(config.clone());
        let mut websocket = WebSocket::new(stream.clone(), connection);
        let message = websocket.recv().now_or_never().unwrap();
        let message = message.unwrap().unwrap();
        websocket.send(message).now_or_never().unwrap().unwrap();
        assert!(websocket.recv().now_or_never().is_none());
        websocket
    };
    // The thread's own memory to read into comes with the first.
    drop(idle(&streams[0]));
    streams[0].0.borrow_mut().incoming = message;
    let ((), used) = measure(|| websockets.extend(streams.iter().map(idle)));
    used.held / count as isize
}

#[tokio::test]
async fn a_connection_that_waits_holds_no_buffers() {
    let minute = Duration::from_secs(60);
    let configs = [
        ("without deadlines", Config::new()),
        (
            "with deadlines",
            Config::new()
                .keep_alive(minute, minute)
                .idle_timeout(5 * minute),
        ),
    ];
    for side in [Side::Client, Side::Server] {
        for (what, config) in &configs {
            let held = held_while_idle(side, config);
            println!("{side:?} {what}: {held} bytes of heap each");
            assert!(held < KIB as isize, "{side:?} {what}: {held}");
        }
    }
    println!("and {} of its own", size_of::<WebSocket<Stream>>());
}

#[test]
fn a_message_received_in_part_is_held_and_no_more() {
    let (mut server, stream) = websocket(Side::Server, Config::new());
    let message: &'static [u8] = Side::Server.binary(&[1; 3000]).leak();
    let ((), used) = measure(|| {
        stream.0.borrow_mut().incoming = &message[..1000];
        assert!(server.recv().now_or_never().is_none());
    });
    assert!(used.held < 20 * KIB as isize, "{used:?}");
    stream.0.borrow_mut().incoming = &message[1000..];
    let message = server.recv().now_or_never().unwrap().unwrap();
    assert_eq!(message, Some(vec![1; 3000].into()));
}

#[test]
fn a_message_of_any_size_passes_through_little_memory() {
    let size = 100 << 20;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = Config::new()
        .delivery(Delivery::Chunks)
        .max_message_size(u64::MAX)
        .write_limit(64 * KIB);
    let (received, used) = measure(|| {
        runtime.block_on(async {
            let (mut client, mut server) = pair_with(64 * KIB, config.clone(), config);
            let reader = tokio::io::AsyncReadExt::take(tokio::io::repeat(7), size);
            let sends = async { server.send_from(reader).await.unwrap() };
            let receives = async {
                let mut received = 0;
                loop {
                    match client.recv_event().await.unwrap() {
                        Some(Event::Chunk(chunk)) => {
                            received += chunk.data.as_bytes().len();
                            if chunk.last {
                                return received;
                            }
                        }
                        other => panic!("{other:?}"),
                    }
                }
            };
            let (sent, received) = tokio::join!(sends, receives);
            assert_eq!(sent, size);
            received
        })
    });
    assert_eq!(received as u64, size);
    // The stream's own 64 KiB among them.
    assert!(used.peak < 400 * KIB as isize, "{used:?}");
}

#[cfg(feature = "handshake")]
#[tokio::test]
async fn connecting_turns_delays_of_small_writes_off() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        sansocket::tokio::accept(stream).await.unwrap()
    };
    let (_server, client) = tokio::join!(server, sansocket::tokio::connect(&uri));
    assert!(client.unwrap().stream().get_ref().nodelay().unwrap());
}
