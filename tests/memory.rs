//! Memory: counted by the allocator, for each thread (each test) apart.

mod common;

use common::allocations::{Counting, measure};
use common::*;
use proptest::prelude::*;
use sansocket::frame::Opcode;
use sansocket::{Config, Connection, Delivery, Event, Message, ReceiveBuffer};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const READ: usize = 1024;

/// Receives `bytes` as an adapter does, in reads of at most `most`, and sends messages back if told
/// to. Nothing is transmitted.
fn receive(
    endpoint: (&mut Connection, &mut ReceiveBuffer),
    mut bytes: &[u8],
    most: usize,
    echo: bool,
) {
    let (connection, rx) = endpoint;
    while !bytes.is_empty() {
        let room = rx.spare(connection.read_hint(rx, READ));
        let read = room.len().min(bytes.len()).min(most.max(1));
        room[..read].copy_from_slice(&bytes[..read]);
        rx.commit(read);
        bytes = &bytes[read..];
        while let Ok(Some(event)) = connection.receive(rx) {
            let _ = match event {
                _ if !echo => Ok(()),
                Event::Text(text) => connection.send_text(&text),
                Event::Binary(data) => connection.send_binary(&data),
                Event::Chunk(chunk) => connection.send_chunk(chunk),
                _ => Ok(()),
            };
        }
    }
}

const MAX_FRAME: usize = 40_000;
const MAX_MESSAGE: usize = 60_000;
const WRITE_LIMIT: usize = 10_000;

fn limited(delivery: Delivery) -> Config {
    Config::new()
        .delivery(delivery)
        .max_frame_size(MAX_FRAME as u64)
        .max_message_size(MAX_MESSAGE as u64)
        .write_limit(WRITE_LIMIT)
}

/// The bound in the documentation of [`Config`].
fn bound(delivery: Delivery, echo: bool) -> isize {
    let received = match delivery {
        Delivery::Messages => 2 * MAX_MESSAGE + 2 * MAX_FRAME,
        Delivery::Chunks => 2 * READ,
    };
    let queued = if echo { 2 * MAX_MESSAGE } else { 0 };
    (received + queued + 500) as isize
}

fn assert_bounded(side: Side, bytes: &[u8], most: usize) {
    for (delivery, echo) in DELIVERIES.into_iter().flat_map(|d| [(d, true), (d, false)]) {
        let ((), used) = measure(|| {
            let mut connection = side.connection(limited(delivery));
            let mut rx = ReceiveBuffer::new();
            receive((&mut connection, &mut rx), bytes, most, echo);
        });
        if std::env::var_os("SHOW").is_some() {
            println!("{delivery:?} {echo} {used:?}");
        }
        let bound = bound(delivery, echo);
        assert!(used.peak <= bound, "{delivery:?}: {used:?} above {bound}");
        assert_eq!(used.held, 0);
    }
}

#[test]
fn the_worst_inputs_hold_no_more_than_the_documented_bound() {
    for side in SIDES {
        let full = data(MAX_FRAME);
        let text = text(MAX_FRAME);
        let fragments = [
            side.frame(Opcode::Binary, false, &full),
            side.frame(Opcode::Continuation, true, &full[..MAX_MESSAGE - MAX_FRAME]),
        ]
        .concat();
        let texts = [
            side.frame(Opcode::Text, false, text.as_bytes()),
            side.frame(Opcode::Continuation, true, &[b'x'; 20_000]),
        ]
        .concat();
        let mut single = side.frame(Opcode::Binary, false, b"");
        single.extend(side.frame(Opcode::Continuation, false, b"x").repeat(5_000));
        let unfinished = [&fragments[..fragments.len() - 1], &texts[..texts.len() - 1]];
        for bytes in [
            fragments.repeat(4),
            texts.repeat(4),
            [&*fragments, unfinished[1]].concat(),
            [&*texts, unfinished[0]].concat(),
            side.binary(&full).repeat(4),
            [side.text("small"), side.binary(&full)].concat().repeat(9),
            side.text(&text).repeat(4),
            side.binary(&data(100)).repeat(2_000),
            side.ping(&[0; 125]).repeat(2_000),
            single,
        ] {
            for most in [7, 1000, usize::MAX] {
                assert_bounded(side, &bytes, most);
            }
        }
    }
}

#[test]
fn a_frame_behind_small_ones_takes_no_more_than_twice_its_size() {
    let side = Side::Server;
    let (large, small) = (side.binary(&data(MAX_FRAME)), side.text("small"));
    for usual in [1_000, 16_384, 30_000, 41_000, 70_000] {
        let mut connection = side.connection(limited(Delivery::Messages));
        let (mut rx, mut most) = (ReceiveBuffer::new(), 0);
        for filler in (0..3 * MAX_FRAME).step_by(1999) {
            let bytes = [small.repeat(filler / small.len()), large.clone()].concat();
            let mut bytes = &bytes[..];
            while !bytes.is_empty() {
                let room = rx.spare(connection.read_hint(&rx, usual));
                let read = room.len().min(bytes.len());
                room[..read].copy_from_slice(&bytes[..read]);
                rx.commit(read);
                bytes = &bytes[read..];
                while connection.receive(&mut rx).unwrap().is_some() {}
            }
            most = most.max(rx.capacity());
        }
        let limit = (2 * large.len()).max(large.len() + usual);
        assert!(most <= limit, "{most} above {limit} in reads of {usual}");
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_input_holds_more_than_the_documented_bound(
        side in prop::sample::select(&SIDES[..]),
        frames in prop::collection::vec(
            (any::<u8>(), any::<bool>(), prop_oneof![0..200_usize, 0..MAX_FRAME + 100]),
            1..20,
        ),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        most in prop_oneof![1..5000_usize, Just(usize::MAX)],
    ) {
        let mut bytes = Vec::new();
        for (kind, fin, len) in frames {
            let (opcode, len) = match kind % 8 {
                0 | 1 => (Opcode::Text, len),
                2 | 3 => (Opcode::Binary, len),
                4..=6 => (Opcode::Continuation, len),
                _ => (Opcode::Ping, len % 126),
            };
            let fin = fin || opcode.is_control();
            bytes.extend(side.frame(opcode, fin, &vec![b'x'; len]));
        }
        bytes.extend(noise);
        assert_bounded(side, &bytes, most);
    }
}

#[test]
fn what_waits_for_transmission_takes_no_more_than_twice_the_write_limit() {
    for side in SIDES {
        for len in [0, 1, 100, 3_000, 9_000] {
            let mut connection = side.connection(Config::new().write_limit(100_000));
            let payload = data(len);
            let ((), used) = measure(|| {
                for step in 0..300 {
                    let full = (0..60_000).any(|_| connection.send_binary(&payload).is_err());
                    assert!(full, "the limit is never reached");
                    let mut transmit = connection.transmit();
                    bytes::Buf::advance(&mut transmit, 331 * (step % 9));
                }
            });
            assert!(used.peak <= 2 * 100_000 + 100, "{side:?}, {len}: {used:?}");
        }
    }
}

#[test]
fn an_idle_server_connection_and_its_released_buffer_hold_no_heap() {
    let side = Side::Server;
    for delivery in DELIVERIES {
        let fragmented = [
            side.frame(Opcode::Text, false, b"frag"),
            side.ping(b"?"),
            side.frame(Opcode::Continuation, true, b"ments"),
        ]
        .concat();
        let large = side.binary(&data(30_000));
        let ((mut connection, mut rx), used) = measure(|| {
            let mut connection = Connection::server(limited(delivery));
            let mut rx = ReceiveBuffer::new();
            for bytes in [&large, &fragmented, &side.text("small")] {
                receive((&mut connection, &mut rx), bytes, usize::MAX, true);
                let mut transmit = connection.transmit();
                let all = bytes::Buf::remaining(&transmit);
                bytes::Buf::advance(&mut transmit, all);
            }
            assert!(rx.is_empty());
            rx.release();
            connection.release();
            (connection, rx)
        });
        assert_eq!(used.held, 0, "{delivery:?}: {used:?}");
        assert_eq!(rx.capacity(), 0);
        assert!(used.allocations > 0, "the counter counts");

        // And both still work.
        receive(
            (&mut connection, &mut rx),
            &side.ping(b"?"),
            usize::MAX,
            true,
        );
        assert_eq!(transmit_all(&mut connection), b"\x8A\x01?");
    }
}

#[test]
fn a_connection_waiting_amid_a_message_holds_what_has_arrived_and_no_more() {
    for side in SIDES {
        let bytes = side.frame(Opcode::Binary, false, &data(100));
        let mut connection = side.connection(Config::new());
        let mut rx = ReceiveBuffer::new();
        receive((&mut connection, &mut rx), &bytes, usize::MAX, true);
        rx.release();
        assert!((100..=200).contains(&rx.capacity()), "{}", rx.capacity());
    }
}

#[test]
fn small_messages_are_received_and_echoed_without_allocating() {
    for side in SIDES {
        for (bytes, fragments) in [
            (side.text("a short text of forty-two bytes, or about"), 1),
            (side.binary(&data(125)), 1),
            (side.binary(&data(4000)), 1),
            (
                [
                    side.frame(Opcode::Text, false, b"in "),
                    side.frame(Opcode::Continuation, true, b"fragments"),
                ]
                .concat(),
                2,
            ),
            (side.ping(b"ping"), 1),
        ] {
            for delivery in DELIVERIES {
                let mut connection = side.connection(Config::new().delivery(delivery));
                let mut rx = ReceiveBuffer::new();
                let mut echo = |rounds: usize| {
                    for _ in 0..rounds {
                        receive((&mut connection, &mut rx), &bytes, usize::MAX, true);
                        let mut transmit = connection.transmit();
                        assert!(transmit.queued() > 0, "an echo or a pong");
                        let all = transmit.queued();
                        bytes::Buf::advance(&mut transmit, all);
                    }
                };
                echo(3);
                let ((), used) = measure(|| echo(1000));
                assert_eq!(used.allocations, 0, "{fragments} fragments, {used:?}");
            }
        }
    }
}

#[test]
fn a_message_in_many_fragments_is_put_together_in_few_allocations() {
    for side in SIDES {
        for opcode in [Opcode::Text, Opcode::Binary] {
            let more = side.frame(Opcode::Continuation, false, b"four");
            let bytes = [side.frame(opcode, false, b""), more.repeat(10_000)].concat();
            let mut connection = side.connection(Config::new());
            let mut rx = ReceiveBuffer::new();
            let endpoint = (&mut connection, &mut rx);
            let ((), used) = measure(|| receive(endpoint, &bytes, 64, false));
            assert!(used.allocations <= 32, "{opcode:?}: {used:?}");
            assert!(used.held >= 40_000, "nothing else holds the message");
        }
    }
}

#[test]
fn a_large_binary_message_is_taken_along_without_a_copy() {
    for side in SIDES {
        for len in [20_000, 100_000, 1_000_000, 1 << 20] {
            let bytes = side.binary(&data(len));
            let mut connection = side.connection(Config::new());
            let mut rx = ReceiveBuffer::new();
            let mut left = &bytes[..];
            while !left.is_empty() {
                let room = rx.spare(connection.read_hint(&rx, READ));
                let read = room.len().min(left.len());
                room[..read].copy_from_slice(&left[..read]);
                rx.commit(read);
                left = &left[read..];
                if !left.is_empty() {
                    assert!(connection.receive(&mut rx).unwrap().is_none());
                }
            }
            let Ok(Some(Event::Binary(payload))) = connection.receive(&mut rx) else {
                panic!("not a binary message");
            };
            let place = payload.as_ptr();
            let (taken, used) = measure(|| payload.into_bytes());
            assert_eq!(taken.as_ptr(), place);
            assert_eq!(taken, data(len));
            assert!(used.largest < 100 && used.allocations <= 1, "{used:?}");
            let ((), used) = measure(|| {
                drop(taken);
                rx.release();
            });
            let freed = -used.held;
            assert!(freed <= (2 * len + 200) as isize, "{freed} for {len}");
            assert_eq!(rx.capacity(), 0);
        }
    }
}

/// Receives `bytes`, in reads that bring a few bytes of the next message too.
fn receive_owned(
    (connection, rx): (&mut Connection, &mut ReceiveBuffer),
    bytes: &[u8],
    mut on_message: impl FnMut(Message),
) {
    let mut left = bytes;
    while !left.is_empty() {
        let hint = connection.read_hint(rx, 16_384);
        let room = &mut rx.spare(hint)[..hint];
        let read = room.len().min(left.len());
        room[..read].copy_from_slice(&left[..read]);
        rx.commit(read);
        left = &left[read..];
        while let Some(event) = connection.receive(rx).unwrap() {
            on_message(event.into_message().unwrap());
        }
    }
}

#[test]
fn large_messages_taken_along_and_dropped_are_received_into_the_same_memory() {
    for side in SIDES {
        for len in [16_384, 65_535, 65_536, 1 << 20] {
            let bytes = side.binary(&data(len)).repeat(5);
            let mut connection = side.connection(Config::new());
            let mut rx = ReceiveBuffer::new();
            let mut receive = || {
                receive_owned((&mut connection, &mut rx), &bytes, |message| {
                    assert_eq!(message.len(), len);
                });
            };
            receive();
            receive();
            let ((), used) = measure(receive);
            assert_eq!(used.allocations, 0, "{side:?}, {len}: {used:?}");
            rx.release();
            assert_eq!(rx.capacity(), 0);
        }
    }
}

#[test]
fn what_comes_next_leaves_messages_taken_along_as_they_are() {
    for side in SIDES {
        let sent: Vec<_> = (0..8).map(|n| data(20_000 + 7 * n)).collect();
        let frames: Vec<_> = sent.iter().map(|data| side.binary(data)).collect();
        // Kept whole, in part, in turn, or dropped.
        for keep in [0b1111_1111, 0b0101_0101, 0b0011_0110, 0] {
            let mut connection = side.connection(Config::new());
            let (mut rx, mut kept, mut count) = (ReceiveBuffer::new(), Vec::new(), 0);
            let endpoint = (&mut connection, &mut rx);
            receive_owned(endpoint, &frames.concat(), |message| {
                assert_eq!(message.as_bytes(), sent[count]);
                if let (Message::Binary(data), 1) = (message, keep >> count & 1) {
                    kept.push((data.slice(5..), count));
                }
                count += 1;
            });
            assert_eq!(count, sent.len());
            for (data, count) in kept {
                assert_eq!(data, sent[count][5..]);
            }
        }
    }
}

#[test]
fn a_message_taken_along_keeps_no_more_than_twice_its_size_alive() {
    let side = Side::Server;
    for len in [100, 16_384, 100_000] {
        let (taken, used) = measure(|| {
            let mut connection = side.connection(Config::new());
            let mut rx = ReceiveBuffer::new();
            rx.spare(1 << 20);
            rx.extend_from_slice(&side.binary(&data(len)));
            let event = connection.receive(&mut rx).unwrap().unwrap();
            event.into_message().unwrap()
        });
        assert_eq!(taken.as_bytes(), data(len));
        assert!(used.held <= (2 * len + 200) as isize, "{len}: {used:?}");
    }
}
