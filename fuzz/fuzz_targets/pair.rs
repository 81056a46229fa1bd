//! A client and a server driven by any operations over a link that stalls, splits and cuts, while
//! time passes: what is delivered is what was sent, in order, complete up to the cut.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sansocket::{CloseCode, Timestamp};
use sansocket_fuzz::Flags;
use sansocket_fuzz::pair::{Content, End, cut, finish};

#[derive(Arbitrary, Debug)]
enum Op {
    Send(Content),
    Owned(Content),
    /// Lent; what the link takes of it at once.
    Lend(Content, [u16; 3]),
    Part(Content, bool),
    Ping(u8),
    Close,
    Release,
    Compress(bool),
    /// In half seconds.
    Wait(u8),
    /// The link takes so much,
    Write(u16),
    /// or brings so much; and so many events are received.
    Read(u16, u8),
    Cut(u16),
    Prepared(Content),
}

// Compression, the options of each end, and what happens, to the first or the second.
fuzz_target!(|input: (u8, [u8; 2], Vec<(bool, Op)>)| {
    let (flags, ends, ops) = input;
    let mut ends = [0, 1].map(|i| End::new(Flags(flags & 0xC0 | i), ends[usize::from(i)]));
    let (mut now, mut left, mut was_cut) = (Timestamp::ZERO, 300_000, false);
    for (second, op) in ops.into_iter().take(100) {
        let [a, b] = &mut ends;
        let (end, peer) = if second { (b, a) } else { (a, b) };
        match op {
            Op::Send(content) => end.send(content.make(&mut left)),
            Op::Owned(content) => end.send_owned(content.make(&mut left)),
            Op::Lend(content, steps) if !was_cut => end.lend(content.make(&mut left), steps),
            Op::Prepared(content) => end.send_prepared(content.make(&mut left)),
            Op::Part(content, last) => end.send_part(content.make(&mut left), last),
            Op::Ping(size) => end.ping(size),
            Op::Close => _ = end.connection.close(CloseCode::NORMAL),
            Op::Release => end.release(),
            Op::Compress(on) => end.connection.set_compression(on),
            Op::Wait(halves) => now = now.saturating_add(Duration::from_secs(halves.into()) / 2),
            Op::Write(most) if !was_cut => _ = end.write(most.into()),
            Op::Lend(..) | Op::Write(_) => {}
            Op::Read(most, events) => _ = end.read(peer, most.into(), events.into()),
            Op::Cut(keep) => {
                cut(&mut ends, keep.into());
                was_cut = true;
            }
        }
        ends.iter_mut().for_each(|end| end.check(now));
    }
    finish(&mut ends, was_cut, now);
});
