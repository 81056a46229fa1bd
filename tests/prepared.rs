//! One message for many connections: the same on the wire as a message of one's own.

mod common;

use bytes::{Buf, Bytes};
use common::*;
use sansocket::{
    Chunk, CloseCode, Config, Connection, Message, Prepared, SeededMaskKeys, SendError,
};

fn message(len: usize) -> [Message; 2] {
    let data: Vec<u8> = (0..=250).cycle().take(len).collect();
    ["é".repeat(len / 2).into(), data.into()]
}

#[test]
fn it_is_sent_as_any_message_is() {
    for len in [0, 2, 124, 126, 4000, 8190, 8192, 65_534, 65_536, 100_000] {
        for (side, message) in SIDES.into_iter().zip(message(len)) {
            let config = Config::new().write_limit(usize::MAX);
            let (mut one, mut other) = (side.connection(config.clone()), side.connection(config));
            let prepared = Prepared::new(message.clone());
            for _ in 0..3 {
                one.send(message.clone()).unwrap();
                other.send_prepared(&prepared).unwrap();
                one.ping(b"between").unwrap();
                other.ping(b"between").unwrap();
            }
            assert_eq!(prepared.len(), message.len());
            assert_eq!(prepared.is_empty(), message.is_empty());
            assert_eq!(prepared.as_bytes(), message.as_bytes());
            assert!(transmit_all(&mut one) == transmit_all(&mut other), "{len}");
        }
    }
}

#[test]
fn a_large_payload_is_written_from_where_it_is() {
    let data = Bytes::from(vec![7; 100_000]);
    let prepared = Prepared::new(data.clone());
    assert_eq!(prepared.as_bytes().as_ptr(), data.as_ptr());
    for _ in 0..2 {
        let mut server = Side::Server.connection(Config::new());
        server.send_prepared(&prepared).unwrap();
        let mut transmit = server.transmit();
        transmit.advance(10);
        assert_eq!(transmit.chunk().as_ptr(), data.as_ptr());
    }
}

#[test]
fn each_client_masks_it_with_a_key_of_its_own() {
    let prepared = Prepared::new(vec![0; 20_000]);
    let mut sent = [1, 2].map(|seed| {
        let mut client = Connection::client(Config::new(), SeededMaskKeys::new([seed; 32]));
        client.send_prepared(&prepared).unwrap();
        client.send_prepared(&prepared).unwrap();
        transmit_all(&mut client)
    });
    let keys: std::collections::HashSet<_> = sent
        .iter()
        .flat_map(|sent| frames(sent))
        .map(|(header, payload)| {
            assert!(payload == prepared.as_bytes());
            header.masking_key.unwrap()
        })
        .collect();
    assert_eq!(keys.len(), 4);
    sent.reverse();
    assert_ne!(sent[0], sent[1]);
}

#[test]
fn it_is_refused_where_a_message_is() {
    let prepared = Prepared::new(vec![0; 100]);
    for side in SIDES {
        let mut full = side.connection(Config::new().write_limit(150));
        full.send_prepared(&prepared).unwrap();
        let queued = full.queued();
        assert_eq!(full.send_prepared(&prepared), Err(SendError::Full(())));
        assert_eq!(full.queued(), queued);
        transmit_all(&mut full);
        full.send_prepared(&prepared).unwrap();

        let mut amid = side.connection(Config::new());
        amid.send_chunk(Chunk::text("a")).unwrap();
        let refused = Err(SendError::MessageInProgress(()));
        assert_eq!(amid.send_prepared(&prepared), refused);
        amid.send_chunk(Chunk::text("b").last()).unwrap();
        amid.send_prepared(&prepared).unwrap();

        let mut closing = side.connection(Config::new());
        closing.close(CloseCode::NORMAL).unwrap();
        let refused = Err(SendError::Closing(()));
        assert_eq!(closing.send_prepared(&prepared), refused);
    }
}

#[test]
fn threads_share_it() {
    let prepared = Prepared::from(Message::from("to all"));
    let copies: Vec<_> = (0..4)
        .map(|_| {
            let prepared = prepared.clone();
            std::thread::spawn(move || {
                let mut server = Side::Server.connection(Config::new());
                server.send_prepared(&prepared).unwrap();
                transmit_all(&mut server)
            })
        })
        .collect();
    for copy in copies {
        assert_eq!(copy.join().unwrap(), b"\x81\x06to all");
    }
}

#[test]
fn its_debug_form_tells_nothing_of_the_payload() {
    let shown = format!("{:?}", Prepared::new("secret"));
    assert_eq!(shown, "Prepared { len: 6, .. }");
}
