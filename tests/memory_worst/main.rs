//! The inputs that would hold the most memory, against the formulas of `docs/MEMORY.md`.

#[cfg(feature = "deflate")]
mod bombs;
#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "handshake")]
mod heads;

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
