//! Round trips over all parameters, and with another implementation of DEFLATE.
#![cfg(feature = "deflate")]

mod common;

use common::compressed::*;
use common::pair::Pair;
use common::*;
use proptest::prelude::*;
use proptest::sample::select;
use sansocket::frame::Opcode;
use sansocket::{Chunk, Config, DeflateConfig, Delivery, Message, SendError};

/// A message to send, in parts of some sizes or whole, compressed or not.
#[derive(Debug, Clone)]
struct Sending {
    message: Message,
    /// Where it is cut into chunks; sent whole if nowhere.
    cuts: Vec<usize>,
    compression: bool,
    ping: bool,
    release: bool,
}

fn deflate_configs() -> impl Strategy<Value = DeflateConfig> {
    (
        any::<[bool; 2]>(),
        [8..=15_u8, 8..=15_u8],
        0..=9_u8,
        1..=9_u8,
        select(vec![0_usize, 1, 64, 1000]),
    )
        .prop_map(|(takeover, bits, level, memory_level, threshold)| {
            DeflateConfig::new()
                .server_context_takeover(takeover[0])
                .client_context_takeover(takeover[1])
                .server_max_window_bits(bits[0])
                .client_max_window_bits(bits[1])
                .level(level)
                .memory_level(memory_level)
                .threshold(threshold)
        })
}

/// Text of words, with matches near and far; text of any characters.
fn texts() -> impl Strategy<Value = String> {
    const WORDS: [&str; 8] = [
        "the ",
        "\"name\":",
        "é",
        "€uro",
        "😀",
        "\n",
        "aaaaaaaaaaaa",
        "0123456789",
    ];
    prop_oneof![
        3 => prop::collection::vec(select(&WORDS[..]), 0..400).prop_map(|words| words.concat()),
        1 => (any::<char>(), 0..40_000_usize).prop_map(|(c, n)| c.to_string().repeat(n)),
        1 => any::<String>(),
    ]
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 0..300),
        1 => (any::<u64>(), 0..20_000_usize).prop_map(|(seed, len)| noise(seed, len)),
        1 => (0..70_000_usize).prop_map(data),
        1 => (any::<u8>(), 0..100_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

fn messages_to_send() -> impl Strategy<Value = Vec<Sending>> {
    let message = prop_oneof![
        texts().prop_map(Message::from),
        payloads().prop_map(Message::from)
    ];
    let cuts = prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec(0..5_000_usize, 1..5),
    ];
    let sending = (message, cuts, any::<[bool; 4]>());
    let sending = sending.prop_map(|(message, cuts, [off, off_too, ping, release])| Sending {
        message,
        cuts,
        compression: !(off && off_too),
        ping,
        release,
    });
    prop::collection::vec(sending, 1..8)
}

fn splits_of_reads() -> impl Strategy<Value = Split> {
    prop_oneof![
        Just(Split::Whole),
        prop::collection::vec(1..3_000_usize, 1..5).prop_map(Split::Sizes),
        prop::collection::vec(1..20_usize, 1..5).prop_map(Split::Sizes),
    ]
}

fn queue(from: &mut Endpoint, sending: &Sending) {
    let connection = &mut from.connection;
    connection.set_compression(sending.compression);
    if sending.cuts.is_empty() {
        connection.send(sending.message.clone()).unwrap();
        return;
    }
    let (mut at, payload) = (0, &sending.message);
    for (part, cut) in sending.cuts.iter().enumerate() {
        let mut end = (at + cut).min(payload.len());
        if let Message::Text(text) = payload {
            while !text.is_char_boundary(end) {
                end += 1;
            }
        }
        let chunk = chunk_of(payload, at..end);
        connection.send_chunk(chunk).unwrap();
        at = end;
        if sending.ping && part == 0 {
            connection.ping(b"?").unwrap();
        }
        if sending.release {
            connection.release();
        }
    }
    let chunk = chunk_of(payload, at..payload.len());
    connection.send_chunk(chunk.last()).unwrap();
}

fn chunk_of(message: &Message, place: std::ops::Range<usize>) -> Chunk<'_> {
    match message {
        Message::Text(text) => Chunk::text(&text[place]),
        Message::Binary(data) => Chunk::binary(&data[place]),
    }
}

fn whole_messages(seen: Vec<Seen>) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut text: Option<String> = None;
    let mut binary: Option<Vec<u8>> = None;
    for seen in seen {
        match seen {
            Seen::Text(text) => messages.push(text.into()),
            Seen::Binary(data) => messages.push(data.into()),
            // A ping may come between the parts.
            Seen::TextPart(part, last) => {
                text.get_or_insert_default().push_str(&part);
                if last {
                    messages.push(text.take().unwrap().into());
                }
            }
            Seen::BinaryPart(part, last) => {
                binary.get_or_insert_default().extend(part);
                if last {
                    messages.push(binary.take().unwrap().into());
                }
            }
            Seen::Ping(_) | Seen::Pong(_) => {}
            Seen::Close(frame) => panic!("closed with {frame:?}"),
        }
    }
    messages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..cases() })]

    #[test]
    fn all_messages_come_back_equal(
        deflate in deflate_configs(),
        delivery in select(&DELIVERIES[..]),
        split in splits_of_reads(),
        from_client in messages_to_send(),
        from_server in messages_to_send(),
    ) {
        let config = Config::new().delivery(delivery).write_limit(usize::MAX);
        let mut pair = Pair::split(config.clone(), config, split);
        pair.deflate(deflate);
        for sending in &from_client {
            queue(&mut pair.client, sending);
        }
        for sending in &from_server {
            queue(&mut pair.server, sending);
            if sending.release {
                pair.run();
                for end in [&mut pair.client, &mut pair.server] {
                    end.connection.release();
                    end.rx.release();
                }
            }
        }
        pair.run();
        for (to, sent) in [(&mut pair.server, from_client), (&mut pair.client, from_server)] {
            prop_assert_eq!(to.error, None);
            let sent: Vec<_> = sent.into_iter().map(|sending| sending.message).collect();
            prop_assert!(whole_messages(to.take_seen()) == sent);
        }
    }

    #[test]
    fn another_implementation_inflates_what_is_sent(
        side in select(&SIDES[..]),
        deflate in deflate_configs(),
        sent in messages_to_send(),
    ) {
        let params = sansocket::DeflateParams::from(deflate);
        let takeover = match side {
            Side::Client => params.client_context_takeover(),
            Side::Server => params.server_context_takeover(),
        };
        let config = Config::new().write_limit(usize::MAX);
        let mut endpoint = side.deflating(config, deflate);
        let mut theirs = TheirInflater::new(takeover);
        for sending in &sent {
            queue(&mut endpoint, sending);
        }
        let messages = messages(&endpoint.output());
        prop_assert_eq!(messages.len(), sent.len());
        for ((_, compressed, payload), sending) in messages.into_iter().zip(sent) {
            let payload = match compressed {
                true => theirs.message(&payload),
                false => payload,
            };
            prop_assert!(payload == sending.message.as_bytes());
            prop_assert!(sending.compression || !compressed);
        }
    }

    #[test]
    fn what_another_implementation_compresses_is_inflated(
        side in select(&SIDES[..]),
        delivery in select(&DELIVERIES[..]),
        takeover in any::<bool>(),
        level in 0..10_u32,
        fragment in prop_oneof![1..100_usize, Just(usize::MAX)],
        split in splits_of_reads(),
        sent in prop::collection::vec((payloads(), any::<bool>()), 1..6),
    ) {
        let mut theirs = Theirs::with_level(takeover, level);
        let mut bytes = Vec::new();
        for (payload, compressed) in &sent {
            bytes.extend(match compressed {
                true => side.compressed_in(fragment, Opcode::Binary, &theirs.message(payload)),
                false => side.binary(payload),
            });
        }
        let deflate = if takeover { ALL } else { NO_TAKEOVER };
        // Fragments of a byte are many.
        let config = Config::new().delivery(delivery).max_fragments(u32::MAX);
        let result = inflated(side, &config, deflate, &bytes, &split);
        prop_assert_eq!(result.error, None);
        let expected: Vec<_> = sent.into_iter().map(|(payload, _)| payload.into()).collect();
        prop_assert!(whole_messages(result.seen) == expected);
    }
}

#[test]
fn stored_blocks_of_another_implementation_are_inflated_wherever_they_end() {
    for len in (31_740..31_750).chain(95_230..95_240) {
        let payload = vec![0; len];
        let message = Theirs::with_level(false, 0).message(&payload);
        let bytes = Side::Client.compressed_in(usize::MAX, Opcode::Binary, &message);
        let result = inflated(
            Side::Client,
            &Config::new(),
            NO_TAKEOVER,
            &bytes,
            &Split::Whole,
        );
        assert_eq!(result.error, None, "{len} bytes");
        assert!(result.seen == [Seen::Binary(payload)], "{len} bytes");
    }
}

/// Bytes that come near to compressed data: real ones, damaged.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (texts(), any::<bool>(), damage, 0..10_u32).prop_map(|(text, finishes, damage, level)| {
        let mut bytes = match finishes {
            true => finished(text.as_bytes()),
            false => Theirs::with_level(false, level).message(text.as_bytes()),
        };
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_bytes_with_rsv1_give_the_same_however_they_are_split(
        side in select(&SIDES[..]),
        delivery in select(&DELIVERIES[..]),
        deflate in select(vec![ALL, NO_TAKEOVER]),
        limit in prop_oneof![0..2_000_u64, Just(50_000)],
        payloads in prop::collection::vec(
            prop_oneof![damaged(), prop::collection::vec(any::<u8>(), 0..200)],
            1..4,
        ),
        is_text in any::<bool>(),
        fragment in prop_oneof![1..300_usize, Just(usize::MAX)],
        sizes in prop::collection::vec(1..500_usize, 1..5),
    ) {
        let opcode = if is_text { Opcode::Text } else { Opcode::Binary };
        let mut bytes = Vec::new();
        for payload in payloads {
            bytes.extend(side.compressed_in(fragment, opcode, &payload));
            bytes.extend(side.ping(b"?"));
        }
        let config = Config::new().delivery(delivery).max_message_size(limit);
        let whole = inflated_any_way(side, &config, deflate, &bytes);
        let other = inflated(side, &config, deflate, &bytes, &Split::Sizes(sizes));
        prop_assert!(other == whole, "the split shows");
        let sizes = whole.seen.iter().map(|seen| match seen {
            Seen::Text(text) | Seen::TextPart(text, _) => text.len(),
            Seen::Binary(data) | Seen::BinaryPart(data, _) => data.len(),
            _ => 0,
        });
        for size in sizes {
            prop_assert!(size as u64 <= limit);
        }
    }
}

#[test]
fn long_conversations_stay_in_step() {
    // Windows slide many times over.
    for (bits, takeover) in [(9, true), (12, true), (15, true), (15, false)] {
        let deflate = ALL
            .server_max_window_bits(bits)
            .client_max_window_bits(bits)
            .server_context_takeover(takeover)
            .client_context_takeover(takeover);
        let config = Config::new().delivery(Delivery::Messages);
        let mut pair = Pair::new(config.clone(), config);
        pair.deflate(deflate);
        for round in 0..400_usize {
            let message = text(round * 37 % 1_500);
            let data = noise(round as u64, round % 600);
            for end in [&mut pair.client, &mut pair.server] {
                end.connection.send_text(&message).unwrap();
                match end.connection.send_binary(&data) {
                    Ok(()) | Err(SendError::Full(())) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            pair.run();
            for end in [&mut pair.client, &mut pair.server] {
                let expected = [Seen::text(&message), Seen::binary(&data)];
                assert!(end.take_seen() == expected, "{bits} bits, round {round}");
            }
        }
    }
}
