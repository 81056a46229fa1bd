//! Text in one frame, in fragments, compressed or not, split anywhere: it is taken if and only if
//! `core::str` takes it, and refused at the first byte that no further one could mend.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::frame::Opcode;
use sansocket::{Chunk, Config, Data, Event, ProtocolError, ReceiveBuffer};
use sansocket_fuzz::{Flags, fill, fragments, reads, stored};

/// What came out, whether the message ended, and how many bytes had come in at the error.
type Run = (Vec<u8>, bool, Option<usize>);

fuzz_target!(|input: &[u8]| {
    let [flags, a, b, c, d, text @ ..] = input else {
        return;
    };
    let flags = Flags(*flags);
    let compressed = flags.deflate().is_some();
    let payload = match compressed {
        true => stored(text),
        false => text.to_vec(),
    };
    for sizes in [&[][..], &[*c, *d]] {
        let (wire, ends) = fragments(!flags.client(), Opcode::Text, compressed, &payload, sizes);
        let at_once = run(flags, &wire, &[]);
        let split = run(flags, &wire, &[*a, *b]);
        let by_bytes = run(flags, &wire, &[1]);
        for (data, ended, error) in [&at_once, &split, &by_bytes] {
            match std::str::from_utf8(text) {
                Ok(_) => assert!(data == text && *ended && error.is_none()),
                Err(bad) => {
                    let valid = if flags.chunks() { bad.valid_up_to() } else { 0 };
                    assert!(*data == text[..valid] && !ended && error.is_some());
                }
            }
        }
        if !compressed && by_bytes.2.is_some() {
            let hopeless = |end: &usize| {
                std::str::from_utf8(&text[..*end]).is_err_and(|bad| bad.error_len().is_some())
            };
            let valid = std::str::from_utf8(text).map_or_else(|bad| bad.valid_up_to(), str::len);
            let first = (valid + 1..=text.len()).find(hopeless);
            assert_eq!(
                by_bytes.2,
                Some(first.map_or(wire.len(), |end| ends[end - 1]))
            );
        }
    }
});

fn run(flags: Flags, wire: &[u8], sizes: &[u8]) -> Run {
    let mut connection = flags.connection(Config::new().delivery(flags.delivery()));
    let (mut rx, mut text, mut ended, mut came) = (ReceiveBuffer::new(), Vec::new(), false, 0);
    for read in reads(wire, sizes) {
        fill(&mut rx, read);
        came += read.len();
        loop {
            match connection.receive(&mut rx) {
                Ok(None) => break,
                Ok(Some(Event::Text(whole))) => (text, ended) = (whole.as_bytes().to_vec(), true),
                Ok(Some(Event::Chunk(Chunk {
                    data: Data::Text(part),
                    last,
                }))) => {
                    text.extend_from_slice(part.as_bytes());
                    ended = last;
                }
                Err(ProtocolError::InvalidUtf8) => return (text, ended, Some(came)),
                other => panic!("{other:?}"),
            }
        }
    }
    (text, ended, None)
}
