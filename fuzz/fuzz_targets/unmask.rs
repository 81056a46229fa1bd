//! Masking and unmasking, whole, in parts and on the way into the queue: what a loop over single
//! bytes gives, and no byte beside it touched.
#![no_main]

use arbitrary::Arbitrary;
use bytes::{Buf, Bytes};
use libfuzzer_sys::fuzz_target;
use sansocket::frame::{Header, Opcode, mask, mask_at};
use sansocket::{Config, Connection, Data, Message};
use sansocket_fuzz::{Fixed, drain};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    key: [u8; 4],
    offset: u64,
    len: u16,
    /// Where the payload stands in its allocation, and how long the ping before it is.
    before: u8,
    cut: u16,
    pattern: &'a [u8],
}

fn by_bytes(payload: &[u8], key: [u8; 4], offset: u64) -> Vec<u8> {
    let mut masked = payload.to_vec();
    for (i, byte) in masked.iter_mut().enumerate() {
        *byte ^= key[(i + (offset % 4) as usize) % 4];
    }
    masked
}

fuzz_target!(|input: Input| {
    let Input { key, offset, .. } = input;
    // Across every smaller step or, seldom, beyond the 64 KiB that are masked at a time.
    let len = usize::from(input.len);
    let is_large = input.before >= 0xF8;
    let len = if is_large { 3 * len } else { len % 2048 };
    let pattern = input.pattern.iter().copied().chain([0]).cycle();
    let payload: Vec<u8> = pattern.take(len).collect();
    let (before, cut) = (usize::from(input.before % 126), usize::from(input.cut));

    let mut room = vec![0xA5; before + len + 70];
    let part = &mut room[before..before + len];
    part.copy_from_slice(&payload);
    mask_at(part, key, offset);
    assert!(*part == by_bytes(&payload, key, offset));
    let (first, second) = part.split_at_mut(cut.min(len));
    mask_at(first, key, offset);
    mask_at(second, key, offset.wrapping_add(first.len() as u64));
    assert!(*part == payload);
    mask(part, key);
    assert!(*part == by_bytes(&payload, key, 0));
    let beside = room[..before].iter().chain(&room[before + len..]);
    assert!(beside.copied().all(|byte| byte == 0xA5));

    let mut header = Header::new(Opcode::Binary, true, len as u64);
    header.masking_key = Some(key);
    let expected = [&header.encode()[..], &by_bytes(&payload, key, 0)].concat();
    for way in 0..4 {
        let (mut client, mut sent) = (Connection::client(Config::new(), Fixed(key)), Vec::new());
        client.ping(&vec![b'?'; before]).unwrap();
        let shared = Bytes::from(payload.clone());
        match way {
            0 => client.send_binary(&payload).unwrap(),
            1 => client.send(Message::Binary(shared.clone())).unwrap(),
            2 => client.send(Message::Binary(shared)).unwrap(),
            _ => {
                let mut transmit = client.transmit_message(Data::Binary(&payload)).unwrap();
                for _ in 0..3 {
                    let taken = transmit.chunk().len().min(cut);
                    sent.extend_from_slice(&transmit.chunk()[..taken]);
                    transmit.advance(taken);
                }
            }
        }
        drain(&mut client, &mut sent);
        assert!(sent[before + 6..] == expected, "sent by way {way}");
    }
});
