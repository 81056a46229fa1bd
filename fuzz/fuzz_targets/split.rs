//! However the bytes are split into reads: the same events, the same bytes transmitted, the same
//! outcome.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::{Chunk, CloseOutcome, Data, Event, ProtocolError, ReceiveBuffer};
use sansocket_fuzz::{Flags, drain, fill, reads};

#[derive(Debug, PartialEq)]
enum Seen {
    /// What has come of a message in a row, and whether it ended.
    Data(bool, Vec<u8>, bool),
    Control(&'static str, Vec<u8>),
}

type Run = (
    Vec<Seen>,
    Result<(), ProtocolError>,
    Vec<u8>,
    Option<CloseOutcome>,
);

fuzz_target!(|input: &[u8]| {
    let [flags, a, b, c, wire @ ..] = input else {
        return;
    };
    let at_once = run(Flags(*flags), wire, &[]);
    assert_eq!(run(Flags(*flags), wire, &[*a, *b, *c]), at_once);
    assert_eq!(run(Flags(*flags), wire, &[1]), at_once);
});

fn run(flags: Flags, wire: &[u8], sizes: &[u8]) -> Run {
    let [echoes, transmits] = [0, 1].map(|bit| flags.choice(bit));
    let mut connection = flags.connection(flags.config());
    let (mut rx, mut seen, mut sent) = (ReceiveBuffer::new(), Vec::new(), Vec::new());
    let mut result = Ok(());
    for read in reads(wire, sizes) {
        fill(&mut rx, read);
        result = loop {
            let (event, data) = match connection.receive(&mut rx) {
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
                Ok(Some(Event::Chunk(Chunk { data, last }))) => {
                    add_chunk(&mut seen, data, last);
                    continue;
                }
                Ok(Some(Event::Text(text))) => {
                    seen.push(Seen::Data(true, text.as_bytes().to_vec(), true));
                    if echoes {
                        _ = connection.send_text(&text);
                    }
                    continue;
                }
                Ok(Some(Event::Binary(data))) => {
                    seen.push(Seen::Data(false, data.to_vec(), true));
                    if echoes {
                        _ = connection.send(data.into_bytes().into());
                    }
                    continue;
                }
                Ok(Some(Event::Ping(data))) => ("ping", data.to_vec()),
                Ok(Some(Event::Pong(data))) => ("pong", data.to_vec()),
                Ok(Some(Event::Close(frame))) => ("close", format!("{frame:?}").into_bytes()),
            };
            seen.push(Seen::Control(event, data));
            if transmits {
                drain(&mut connection, &mut sent);
            }
        };
    }
    drain(&mut connection, &mut sent);
    connection.receive_eof();
    (seen, result, sent, connection.outcome().cloned())
}

/// Where a message is cut into chunks may differ; what they make together may not.
fn add_chunk(seen: &mut Vec<Seen>, data: Data<'_>, last: bool) {
    let (text, part) = (matches!(data, Data::Text(_)), data.as_bytes());
    match seen.last_mut() {
        Some(Seen::Data(kind, whole, ended @ false)) => {
            assert_eq!(*kind, text);
            whole.extend_from_slice(part);
            *ended = last;
        }
        _ => seen.push(Seen::Data(text, part.to_vec(), last)),
    }
}
