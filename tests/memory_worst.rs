//! The inputs that would hold the most memory, against the formulas of `docs/MEMORY.md`.

mod common;

use std::time::Duration;

use bytes::{Buf, Bytes};
use common::allocations::{Counting, Use, measure};
use common::*;
use sansocket::frame::{Header, Opcode};
use sansocket::{Config, Connection, Delivery, ReceiveBuffer, SendError, Timestamp};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The sizes that the formulas have, under the same names.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// The largest message received.
    m: usize,
    /// The largest frame received.
    f: usize,
    /// The largest read.
    r: usize,
    /// The limit on what waits for transmission.
    w: usize,
    /// The largest message sent.
    s: usize,
}

const SIZES: Sizes = Sizes {
    m: 100_000,
    f: 60_000,
    r: 4096,
    w: 20_000,
    s: 0,
};

/// A control frame: its payload and its header.
const CONTROL: usize = 125 + 14;

impl Sizes {
    fn config(self, delivery: Delivery) -> Config {
        Config::new()
            .delivery(delivery)
            .max_message_size(self.m as u64)
            .max_frame_size(self.f as u64)
            .write_limit(self.w)
    }

    fn receiving(self, delivery: Delivery) -> usize {
        match delivery {
            Delivery::Messages => {
                // A read is hinted to the end of a frame, and the header of the next.
                let r = self.r.max((self.f + 28).min(64 * 1024 + 28));
                (2 * (self.f + 14)).max(self.f + 14 + r) + 2 * self.m
            }
            Delivery::Chunks => 2 * (CONTROL + self.r),
        }
    }

    fn sending(self, large: usize) -> usize {
        2 * self.w.max(self.s + 14) + 9 * CONTROL + 72 * large
    }
}

/// The connection's own keys, in a box, for a client.
const CLIENT: usize = 64;

#[track_caller]
fn assert_within(used: &Use, bound: usize, what: &str) {
    let bound = (bound + CLIENT) as isize;
    assert!(used.peak <= bound, "{what}: {used:?} above {bound}");
}

/// A peer that reads takes all that waits after each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Reads,
    ReadsNothing,
}

/// Receives `bytes` in reads of at most `most`, as an adapter does; gives the number of events.
fn receive(
    (connection, rx): (&mut Connection, &mut ReceiveBuffer),
    mut bytes: &[u8],
    most: usize,
    peer: Peer,
) -> usize {
    let mut events = 0;
    while !bytes.is_empty() {
        let room = rx.spare(connection.read_hint(rx, SIZES.r));
        let read = room.len().min(bytes.len()).min(most);
        room[..read].copy_from_slice(&bytes[..read]);
        rx.commit(read);
        bytes = &bytes[read..];
        while let Ok(Some(_)) = connection.receive(rx) {
            events += 1;
            if peer == Peer::Reads {
                let all = connection.transmit().remaining();
                connection.transmit().advance(all);
            }
        }
    }
    events
}

/// Checks the bound on receiving, in all deliveries and some ways of reading; gives the most held.
fn assert_receiving(what: &str, side: Side, bytes: &[u8], more: usize) -> isize {
    let mut most_held = 0;
    for (delivery, peer) in DELIVERIES
        .into_iter()
        .flat_map(|d| [(d, Peer::Reads), (d, Peer::ReadsNothing)])
    {
        for most in [1, 100, 4096, usize::MAX] {
            if most == 1 && bytes.len() > 200_000 {
                continue;
            }
            let ((), used) = measure(|| {
                let mut connection = side.connection(SIZES.config(delivery));
                let mut rx = ReceiveBuffer::new();
                receive((&mut connection, &mut rx), bytes, most, peer);
            });
            // Pongs, and the Close frame of a failure.
            let bound = SIZES.receiving(delivery) + 9 * CONTROL + more;
            assert_within(
                &used,
                bound,
                &format!("{what}, {side:?}, {delivery:?}, {peer:?}"),
            );
            most_held = most_held.max(used.peak);
        }
    }
    most_held
}

#[test]
fn tiny_fragments_hold_no_more_than_their_bytes() {
    for side in SIDES {
        for opcode in [Opcode::Text, Opcode::Binary] {
            let more = side.frame(Opcode::Continuation, false, b"x");
            let first = side.frame(opcode, false, b"");
            // To the limit on messages and beyond.
            let all = [first.clone(), more.repeat(SIZES.m + 10)].concat();
            assert_receiving("tiny fragments", side, &all, 0);
            let some = [first, more.repeat(10_000)].concat();
            let held = assert_receiving("some tiny fragments", side, &some, 0);
            let r = SIZES.r as isize;
            assert!(held <= 2 * 10_000 + 2 * r + 1500, "{held} for 10,000 bytes");
        }
    }
}

#[test]
fn empty_fragments_hold_nothing() {
    for side in SIDES {
        for opcode in [Opcode::Text, Opcode::Binary] {
            let more = side.frame(Opcode::Continuation, false, b"");
            // The limit on their number is passed too.
            let bytes = [side.frame(opcode, false, b""), more.repeat(300_000)].concat();
            let held = assert_receiving("empty fragments", side, &bytes, 0);
            assert!(held <= 2 * SIZES.r as isize + 1500, "{held}");
        }
    }
}

#[test]
fn what_a_header_claims_is_not_held() {
    for side in SIDES {
        for claim in [SIZES.f as u64, SIZES.f as u64 + 1, 1 << 32, 1 << 62] {
            for opcode in [Opcode::Text, Opcode::Binary] {
                for fin in [true, false] {
                    let header = side.header(opcode, fin, claim);
                    let bytes = [&header.encode()[..], b"little"].concat();
                    let held = assert_receiving("a claim", side, &bytes, 0);
                    // One read as large as is asked for, but what is asked for is up to the caller.
                    let read = SIZES.f.min(64 * 1024) as isize;
                    assert!(held <= SIZES.r as isize + read + 1000, "{held} for {claim}");
                }
            }
        }
    }
}

#[test]
fn claims_of_great_messages_hold_a_read_and_no_more_with_the_default_limits() {
    for side in SIDES {
        for claim in [16 << 20, 1 << 40, 1 << 62] {
            let header = side.header(Opcode::Binary, true, claim);
            let bytes = [&header.encode()[..], b"little"].concat();
            let ((), used) = measure(|| {
                let mut connection = side.connection(Config::new());
                let mut rx = ReceiveBuffer::new();
                receive((&mut connection, &mut rx), &bytes, 7, Peer::Reads);
            });
            assert!(used.peak <= 64 * 1024 + 2 * 4096 + 1000, "{used:?}");
        }
    }
}

#[test]
fn floods_of_pings_hold_two_pongs() {
    for side in SIDES {
        let flood = side.ping(&[7; 125]).repeat(2_000);
        let held = assert_receiving("pings", side, &flood, 0);
        assert!(held <= 2 * SIZES.r as isize + 3000, "{held}");
        // The same amid a message that never ends.
        let amid = [side.frame(Opcode::Text, false, b"a"), flood].concat();
        assert_receiving("pings amid a message", side, &amid, 0);
    }
}

#[test]
fn messages_of_both_kinds_at_full_size_stay_within_the_bound() {
    for side in SIDES {
        let message = |opcode, byte| {
            let half = vec![byte; SIZES.m / 2];
            let first = side.frame(opcode, false, &half);
            [first, side.frame(Opcode::Continuation, true, &half)].concat()
        };
        let both = [message(Opcode::Text, b'a'), message(Opcode::Binary, b'b')].concat();
        let held = assert_receiving("both kinds", side, &both.repeat(2), 0);
        // The formula is not idle: this is what it is for.
        assert!(held > (2 * SIZES.m) as isize, "{held}");
        let frame = side.binary(&data(SIZES.f));
        assert_receiving("a frame", side, &[both, frame.repeat(2)].concat(), 0);
    }
}

#[test]
fn a_frame_without_an_end_holds_its_limit_and_no_more() {
    for side in SIDES {
        let config = Config::new()
            .delivery(Delivery::Chunks)
            .max_message_size(u64::MAX);
        let header = Header {
            payload_len: 1 << 62,
            ..side.header(Opcode::Binary, true, 0)
        };
        let ((), used) = measure(|| {
            let mut connection = side.connection(config.clone());
            let mut rx = ReceiveBuffer::new();
            let endpoint = (&mut connection, &mut rx);
            receive(endpoint, &header.encode(), usize::MAX, Peer::Reads);
            let part = [0; 1000];
            for _ in 0..4000 {
                let endpoint = (&mut connection, &mut rx);
                assert_eq!(receive(endpoint, &part, usize::MAX, Peer::Reads), 1);
            }
        });
        assert_within(&used, SIZES.receiving(Delivery::Chunks), "without an end");
    }
}

#[test]
fn a_hundred_thousand_messages_wait_within_the_write_limit() {
    for side in SIDES {
        for len in [0, 1, 100, 9_000] {
            let sizes = Sizes { s: len, ..SIZES };
            let payload = Bytes::from(data(len));
            let ((taken, waiting), used) = measure(|| {
                let mut connection = side.connection(sizes.config(Delivery::Messages));
                let mut taken = 0;
                for _ in 0..100_000 {
                    match connection.send(payload.clone().into()) {
                        Ok(()) => taken += 1,
                        Err(SendError::Full(message)) => assert_eq!(message.len(), len),
                        Err(error) => panic!("{error}"),
                    }
                }
                (taken, connection.transmit().remaining())
            });
            assert!(taken > 0 && waiting <= sizes.w.max(len + 14));
            assert_within(
                &used,
                sizes.sending(sizes.w / 8192 + 1),
                &format!("{len} bytes"),
            );
        }
    }
}

#[test]
fn a_hundred_thousand_messages_without_a_limit_hold_twice_their_bytes() {
    for side in SIDES {
        for len in [0, 10, 100] {
            let payload = data(len);
            let (left, used) = measure(|| {
                let mut connection = side.connection(Config::new().write_limit(usize::MAX));
                for _ in 0..100_000 {
                    connection.send_binary(&payload).unwrap();
                }
                let all = connection.transmit().remaining();
                let sizes = Sizes { w: all, ..SIZES };
                // A bit of it leaves, and as much comes behind.
                for _ in 0..10_000 {
                    connection.transmit().advance(len + 2);
                    connection.send_binary(&payload).unwrap();
                }
                connection.transmit().advance(usize::MAX);
                (connection, sizes)
            });
            assert_within(&used, left.1.sending(0), &format!("{len} bytes"));
            // Sent, it is given back but for a usual queue.
            let kept = (64 * 1024 + CLIENT) as isize;
            assert!(used.held <= kept, "{used:?}");
        }
    }
}

#[test]
fn large_payloads_wait_where_they_are_and_leave_little_behind() {
    let payload = Bytes::from(data(8192));
    let (mut server, used) = measure(|| {
        let mut server = Side::Server.connection(Config::new().write_limit(usize::MAX));
        for _ in 0..100_000 {
            server.send(payload.clone().into()).unwrap();
        }
        server
    });
    let sizes = Sizes {
        w: 4 * 100_000,
        ..SIZES
    };
    assert_within(
        &used,
        sizes.sending(100_000),
        "headers, and places of payloads",
    );
    let (_, freed) = measure(|| server.transmit().advance(usize::MAX));
    let kept = used.held + freed.held;
    assert!(kept <= 64 * 1024 + 256 * 64, "{kept} of {} kept", used.held);
}

#[test]
fn all_control_frames_beyond_the_limit_stay_within_the_bound() {
    for side in SIDES {
        let ((), used) = measure(|| {
            let second = Duration::from_secs(1);
            let config = SIZES.config(Delivery::Messages).keep_alive(second, second);
            let mut connection = side.connection(config);
            let mut rx = ReceiveBuffer::new();
            while connection.send_binary(&[0; 500]).is_ok() {}
            for turn in 0..1000 {
                let now = Timestamp::ZERO.saturating_add(turn * second / 4);
                let ping = side.ping(&[1; 125]);
                let endpoint = (&mut connection, &mut rx);
                receive(endpoint, &ping, usize::MAX, Peer::ReadsNothing);
                connection.handle_timeout(now);
            }
            let _ = connection.close(None);
        });
        let bound = SIZES.sending(0) + 2 * (CONTROL + SIZES.r);
        assert_within(&used, bound, "control frames");
    }
}

#[cfg(feature = "handshake")]
mod heads {
    use sansocket::handshake::{Limits, client, server};

    use super::*;

    const H: usize = 16 * 1024;

    fn bound(r: usize) -> usize {
        (2 * H).max(H + r) + 2 * H + 32 * 1024
    }

    /// Feeds a server's handshake in reads of so many bytes, until it has an outcome.
    fn serve(bytes: &[u8], most: usize) -> Option<server::Progress> {
        let mut rx = ReceiveBuffer::new();
        let mut handshake = server::Handshake::new(Limits::new());
        for piece in bytes.chunks(most) {
            let room = rx.spare(SIZES.r);
            room[..piece.len()].copy_from_slice(piece);
            rx.commit(piece.len());
            match handshake.receive(&mut rx) {
                server::Progress::Incomplete(again) => handshake = again,
                outcome => return Some(outcome),
            }
        }
        None
    }

    /// Heads that are as large as they may be, and end or do not.
    fn heads() -> Vec<Vec<u8>> {
        let start = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
        let fill = |line: &str| {
            let mut head = start.to_vec();
            head.extend_from_slice(line.as_bytes());
            head.resize(H - 4, b'x');
            [&head[..], b"\r\n\r\n"].concat()
        };
        let list = |name: &str, element: &str| {
            let elements: Vec<String> = (0..128).map(|n| format!("{element}{n}")).collect();
            let line = format!("{name}: {}\r\n\r\n", elements.join(", "));
            [&start[..], line.as_bytes()].concat()
        };
        let params: String = (0..120).map(|n| format!("; param{n}=value{n}")).collect();
        let many: String = (0..58).map(|n| format!("X-{n}: y\r\n")).collect();
        vec![
            fill("X: "),
            fill(&format!("{many}X: ")),
            [&start[..], many.as_bytes(), b"\r\n"].concat(),
            list("Sec-WebSocket-Protocol", "p"),
            list("Sec-WebSocket-Extensions", "x"),
            list("Sec-WebSocket-Extensions", &format!("x{}-", &params[..60])),
            [
                &start[..],
                b"Sec-WebSocket-Extensions: x",
                params.as_bytes(),
                b"\r\n\r\n",
            ]
            .concat(),
            [b"GET /".to_vec(), vec![b'a'; 2 * H]].concat(),
            [&start[..], b"X: ", &vec![b'y'; 2 * H]].concat(),
            b"A".repeat(2 * H),
            b"\r\n".repeat(H),
        ]
    }

    #[test]
    fn slow_heads_hold_no_more_than_the_bound() {
        for (number, bytes) in heads().iter().enumerate() {
            for most in [1, 1000, SIZES.r] {
                let (outcome, used) = measure(|| serve(bytes, most));
                assert!(outcome.is_some(), "head {number} has no outcome");
                assert_within(&used, bound(SIZES.r), &format!("head {number} by {most}"));
            }
        }
    }

    #[test]
    fn a_slow_response_holds_no_more_than_the_bound() {
        let interim = b"HTTP/1.1 102 Wait\r\n\r\n".repeat(2_000);
        let large = [&b"HTTP/1.1 101 x\r\nX: "[..], &vec![b'y'; 2 * H]].concat();
        for bytes in [interim, large] {
            let request = client::Request::new("ws://a/".parse().unwrap());
            let mut handshake = request.start([7; 16]).unwrap();
            let (failed, used) = measure(|| {
                let mut rx = ReceiveBuffer::new();
                for byte in &bytes {
                    rx.spare(SIZES.r)[0] = *byte;
                    rx.commit(1);
                    match handshake.receive(&mut rx) {
                        client::Progress::Incomplete(again) => handshake = again,
                        client::Progress::Failed(_) => return true,
                        client::Progress::Response(_) => panic!("no answer to the key"),
                    }
                }
                false
            });
            assert!(failed, "the limit holds");
            assert_within(&used, bound(SIZES.r), "a response");
        }
    }
}

#[cfg(feature = "deflate")]
mod bombs {
    use common::compressed::*;

    use super::*;

    /// What `DeflateConfig` documents for a decompressor, and the room for one step.
    const INFLATING: usize = 48 * 1024 + 64 * 1024;

    #[test]
    fn bombs_hold_no_more_than_the_bound() {
        // 20 MiB of zeros, in one frame and in many.
        let block = Theirs::new(true).block(&vec![0; 1 << 20]).repeat(20);
        for side in SIDES {
            for bytes in [
                side.compressed(Opcode::Binary, &block),
                side.compressed_in(10, Opcode::Binary, &block),
                side.compressed(Opcode::Text, &block),
            ] {
                for delivery in DELIVERIES {
                    for most in [100, usize::MAX] {
                        let ((), used) = measure(|| {
                            let mut endpoint = side.deflating(SIZES.config(delivery), ALL);
                            let mut rx = ReceiveBuffer::new();
                            let endpoint = (&mut endpoint.connection, &mut rx);
                            receive(endpoint, &bytes, most, Peer::ReadsNothing);
                        });
                        let bound = SIZES.receiving(delivery) + 9 * CONTROL + INFLATING;
                        assert_within(&used, bound, &format!("a bomb, {delivery:?}"));
                    }
                }
            }
        }
    }
}
