//! Inflating anything under a limit: what comes out is what another inflater gives, and neither the
//! message nor the memory goes further than one step beyond the limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::frame::Opcode;
use sansocket::{Chunk, Config, Event, ProtocolError, ReceiveBuffer};
use sansocket_fuzz::others::{Inflated, inflate};
use sansocket_fuzz::{Flags, drain, fill, fragments, frames, reads};

const STEP: usize = 64 * 1024;

fuzz_target!(|input: &[u8]| {
    let [flags, low, high, size, payload @ ..] = input else {
        return;
    };
    let flags = Flags(*flags | 0x40);
    let (limit, read) = (
        usize::from(u16::from_le_bytes([*low, *high])),
        usize::from(*size).max(1),
    );
    let (is_text, in_fragments) = (flags.choice(0), flags.choice(1));
    let config = Config::new()
        .delivery(flags.delivery())
        .max_message_size(limit as u64);
    let mut connection = flags.connection(config);
    let opcode = [Opcode::Binary, Opcode::Text][usize::from(is_text)];
    let sizes = if in_fragments { &[*size][..] } else { &[] };
    let (wire, _) = fragments(!flags.client(), opcode, true, payload, sizes);
    // Twice, so that the second can refer to the first.
    let (mut rx, mut result) = (ReceiveBuffer::new(), Ok(()));
    let (mut message, mut messages) = (Vec::new(), Vec::new());
    for bytes in reads(&wire.repeat(2), &[*size]) {
        fill(&mut rx, bytes);
        while result.is_ok() {
            let last = match connection.receive(&mut rx) {
                Ok(None) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
                Ok(Some(Event::Text(text))) => extend(&mut message, text.as_bytes(), true),
                Ok(Some(Event::Binary(data))) => extend(&mut message, &data, true),
                Ok(Some(Event::Chunk(Chunk { data, last }))) => {
                    assert!(data.as_bytes().len() <= STEP);
                    extend(&mut message, data.as_bytes(), last)
                }
                Ok(Some(other)) => panic!("{other:?}"),
            };
            assert!(message.len() <= limit);
            if last {
                messages.push(std::mem::take(&mut message));
            }
        }
        if result.is_err() {
            break;
        }
        let gathered = if flags.chunks() { 0 } else { 2 * limit };
        let bound = gathered + 2 * (wire.len().min(limit) + 14 + read) + STEP + 512;
        assert!(
            rx.capacity() <= bound,
            "{} bytes held of {bound}",
            rx.capacity()
        );
    }
    if let Err(error) = result {
        let mut sent = Vec::new();
        drain(&mut connection, &mut sent);
        let (opcode, body) = frames(&sent, flags.client()).pop().unwrap();
        assert!(
            opcode == Opcode::Close && body.starts_with(&error.close_code().get().to_be_bytes())
        );
    }
    let (theirs, end) = inflate(payload, limit);
    match (messages.first(), result) {
        (Some(ours), _) if end == Inflated::Final => assert!(ours.starts_with(&theirs)),
        (Some(ours), _) => assert!(*ours == theirs),
        (None, Err(ProtocolError::MessageTooBig { .. })) => assert!(end != Inflated::Open),
        (None, _) => {}
    }
});

fn extend(message: &mut Vec<u8>, part: &[u8], last: bool) -> bool {
    message.extend_from_slice(part);
    last
}
