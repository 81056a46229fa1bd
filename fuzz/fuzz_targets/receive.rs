//! Receiving anything, in either role and delivery: no panic, the limits and the memory bound hold,
//! and an error is the end, with its Close frame queued.
#![no_main]

use std::time::Duration;

use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use sansocket::frame::Opcode;
use sansocket::{CloseCode, Event, ProtocolError, ReceiveBuffer, State, Timestamp};
use sansocket_fuzz::{Flags, MAX_FRAME, MAX_MESSAGE, check, drain, fill, frames};

fuzz_target!(|input: &[u8]| {
    let [flags, usual, wire @ ..] = input else {
        return;
    };
    let (flags, usual, mut wire) = (Flags(*flags), usize::from(*usual).max(1), wire);
    let [transmits, closes, ticks, pings] = [0, 1, 2, 3].map(|bit| flags.choice(bit));
    let second = Duration::from_secs(1);
    let config = flags.config().write_limit(64).idle_timeout(9 * second);
    let mut connection = flags.connection(config.keep_alive(3 * second, 2 * second));
    let (mut rx, mut sent, mut now) = (ReceiveBuffer::new(), Vec::new(), Timestamp::ZERO);
    let (mut result, mut open, mut parts) = (Ok(()), true, 0);
    if closes {
        connection.close(CloseCode::NORMAL).unwrap();
    }
    while !wire.is_empty() && result.is_ok() {
        let hint = connection.read_hint(&rx, usual);
        let largest = usual.max(MAX_FRAME + 14);
        assert!((1..=largest).contains(&hint));
        let (read, rest) = wire.split_at(hint.min(wire.len()));
        fill(&mut rx, read);
        wire = rest;
        result = loop {
            match connection.receive(&mut rx) {
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
                Ok(Some(event)) => {
                    assert!(open, "{event:?} behind the peer's Close frame");
                    open = !matches!(event, Event::Close(_));
                    check(&event, &mut parts);
                }
            }
        };
        // As `Config` says: reads are smaller than frames here.
        let bound = match flags.chunks() {
            true => 2 * usual + 600,
            false => 2 * MAX_MESSAGE + 2 * MAX_FRAME + 600,
        };
        // What is inflated at a time.
        let bound = bound + flags.deflate().map_or(0, |_| 8 * 1024);
        assert!(
            rx.capacity() <= bound,
            "{} bytes held, hint {hint}, usual {usual}",
            rx.capacity()
        );
        if pings {
            _ = connection.ping(b"?");
        }
        if ticks {
            now = now.saturating_add(second);
            connection.handle_timeout(now);
        }
        // Our pings, two pongs and a Close frame.
        assert!(connection.transmit().remaining() <= 64 + 3 * 139);
        if transmits {
            drain(&mut connection, &mut sent);
        }
    }
    drain(&mut connection, &mut sent);
    let last = frames(&sent, flags.client()).pop();
    if let Err(error) = result {
        let told = matches!(&last, Some((Opcode::Close, body)) if tells(body, error));
        assert!(told || closes || ticks, "{error:?} but {last:?}");
        fill(&mut rx, b"\x89\x80\0\0\0\0\x89\0");
        assert_eq!(connection.receive(&mut rx).map(drop), Err(error));
        assert!(connection.ping(b"").is_err() && !connection.transmit().has_remaining());
    }
    connection.receive_eof();
    assert_eq!(connection.state(), State::Closed);
});

fn tells(body: &[u8], error: ProtocolError) -> bool {
    body.starts_with(&error.close_code().get().to_be_bytes())
}
