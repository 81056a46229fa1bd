//! Two endpoints over a link that stalls, splits and cuts, and what each must see of the other.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::{Buf, Bytes};
use sansocket::frame::Header;
use sansocket::{
    Chunk, CloseOutcome, Config, Connection, Data, Event, Message, Prepared, ProtocolError,
    ReceiveBuffer, SendError, Timestamp,
};

use crate::Flags;

/// What a message holds, in few bytes of input.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub struct Content {
    is_text: bool,
    seed: u8,
    size: Size,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Size {
    Short(u8),
    Medium(u16),
    /// About the 64 KiB that are masked at a time, and twice that.
    Large(u8),
}

impl Content {
    /// A text, or bytes that hardly compress. What an input may send in all is bounded.
    pub fn make(self, left: &mut usize) -> (bool, Vec<u8>) {
        let size = match self.size {
            Size::Short(size) => size.into(),
            Size::Medium(size) => usize::from(size) % 20_000,
            Size::Large(size) => 65_500 + 300 * usize::from(size),
        };
        let size = size.min(*left);
        *left -= size;
        let mut pattern = Vec::new();
        let mut state = u32::from(self.seed) + 1;
        while pattern.len() < size.min(2000) {
            state = state.wrapping_mul(0x9E37_79B1).rotate_left(13) ^ 0x55;
            match self.is_text {
                true => pattern.extend(["a", "é", "€", "😀"][state as usize % 4].bytes()),
                false => pattern.extend(state.to_le_bytes()),
            }
        }
        let bytes = pattern.repeat(size.div_ceil(pattern.len().max(1)));
        (self.is_text, bytes)
    }
}

/// The bytes as a message is given to send.
fn data(is_text: bool, bytes: &[u8]) -> Data<'_> {
    match is_text {
        true => Data::Text(std::str::from_utf8(bytes).unwrap()),
        false => Data::Binary(bytes),
    }
}

/// A message that was taken for sending, or what has been taken of it.
struct Sent {
    is_text: bool,
    bytes: Vec<u8>,
    ended: bool,
}

/// An endpoint, what it has sent and seen, and what is under way from it.
pub struct End {
    pub connection: Connection,
    rx: ReceiveBuffer,
    limits: Limits,
    sent: Vec<Sent>,
    /// The largest message, or part of one, that was to be sent.
    largest: usize,
    /// For each ping sent, how many messages had ended before it.
    pings: Vec<usize>,
    /// How many messages have come whole, and how much of the next.
    seen: usize,
    part: usize,
    pings_seen: usize,
    /// A message that was taken along.
    held: Bytes,
    next_pong: usize,
    closed: bool,
    error: Option<ProtocolError>,
    under_way: VecDeque<u8>,
    is_shut: bool,
    eof: bool,
    /// All that has come.
    arrived: Vec<u8>,
}

struct Limits {
    write: usize,
    message: usize,
    deflate: bool,
}

impl End {
    /// An endpoint of this role and compression, whose options choose the delivery, the limits and
    /// the deadlines.
    pub fn new(flags: Flags, options: u8) -> Self {
        let flags = Flags(flags.0 | options & 2);
        let limits = Limits {
            write: [100_000, 1_000][usize::from(options >> 2 & 1)],
            message: [10_000_000, 70_000, 10_000_000, 500][usize::from(options >> 3 & 3)],
            deflate: flags.deflate().is_some(),
        };
        let mut config = Config::new()
            .delivery(flags.delivery())
            .write_limit(limits.write)
            .max_message_size(limits.message as u64);
        if options & 0x20 != 0 {
            config = config.keep_alive(Duration::from_secs(30), Duration::from_secs(10));
        }
        if options & 0x40 != 0 {
            config = config.idle_timeout(Duration::from_secs(60));
        }
        Self {
            connection: flags.connection(config),
            rx: ReceiveBuffer::new(),
            limits,
            sent: Vec::new(),
            largest: 0,
            pings: Vec::new(),
            seen: 0,
            part: 0,
            pings_seen: 0,
            held: Bytes::new(),
            next_pong: 0,
            closed: false,
            error: None,
            under_way: VecDeque::new(),
            is_shut: false,
            eof: false,
            arrived: Vec::new(),
        }
    }

    fn is_amid_message(&self) -> bool {
        self.sent.last().is_some_and(|message| !message.ended)
    }

    /// Judges what came of sending a message, or a part of one that ends it or not.
    fn note(
        &mut self,
        (is_text, bytes): (bool, Vec<u8>),
        is_part: bool,
        last: bool,
        queued: usize,
        result: Result<(), SendError>,
    ) {
        self.largest = self.largest.max(bytes.len());
        match result {
            Ok(()) if self.is_amid_message() => {
                let message = self.sent.last_mut().unwrap();
                assert!(is_part && message.is_text == is_text);
                message.bytes.extend(bytes);
                message.ended = last;
            }
            Ok(()) => self.sent.push(Sent {
                is_text,
                bytes,
                ended: last,
            }),
            Err(SendError::Full(())) => {
                assert!(queued > 0 && queued + bytes.len() + 14 > self.limits.write);
            }
            Err(SendError::MessageInProgress(())) => assert!(self.is_amid_message()),
            Err(SendError::Closing(())) => assert!(!self.connection.can_send()),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Sends a copy.
    pub fn send(&mut self, message: (bool, Vec<u8>)) {
        let queued = self.connection.queued();
        let result = match data(message.0, &message.1) {
            Data::Text(text) => self.connection.send_text(text),
            Data::Binary(data) => self.connection.send_binary(data),
        };
        self.note(message, false, true, queued, result);
    }

    /// Sends what is handed over, and comes back if it is not sent.
    pub fn send_owned(&mut self, message: (bool, Vec<u8>)) {
        let queued = self.connection.queued();
        let owned = match data(message.0, &message.1) {
            Data::Text(text) => Message::Text(text.to_owned()),
            Data::Binary(data) => Message::Binary(data.to_vec().into()),
        };
        let result = self.connection.send(owned).map_err(|error| {
            let why = match &error {
                SendError::Full(_) => SendError::Full(()),
                SendError::Closing(_) => SendError::Closing(()),
                SendError::MessageInProgress(_) => SendError::MessageInProgress(()),
                _ => SendError::ControlTooLong(()),
            };
            assert!(error.into_message().as_bytes() == message.1);
            why
        });
        self.note(message, false, true, queued, result);
    }

    /// Sends what is prepared for many, though this end is the only one that gets it.
    pub fn send_prepared(&mut self, message: (bool, Vec<u8>)) {
        let queued = self.connection.queued();
        let prepared = match data(message.0, &message.1) {
            Data::Text(text) => Prepared::new(text),
            Data::Binary(data) => Prepared::new(data),
        };
        let result = self.connection.send_prepared(&prepared);
        self.note(message, false, true, queued, result);
    }

    /// Sends a part of a message.
    pub fn send_part(&mut self, part: (bool, Vec<u8>), last: bool) {
        let queued = self.connection.queued();
        let amid = self.sent.last().filter(|message| !message.ended);
        let other = amid.is_some_and(|message| message.is_text != part.0);
        let data = data(part.0, &part.1);
        let result = self.connection.send_chunk(Chunk { data, last });
        assert!(!other || result.is_err());
        self.note(part, true, last, queued, result);
    }

    /// Sends a ping that says which one it is.
    pub fn ping(&mut self, size: u8) {
        let mut payload = b"p".to_vec();
        payload.extend((self.pings.len() as u32).to_be_bytes());
        payload.resize(5 + usize::from(size) % 121, b'.');
        if self.connection.ping(&payload).is_ok() {
            let ended = self.sent.iter().filter(|message| message.ended).count();
            self.pings.push(ended);
        }
    }

    /// The link takes at most so many bytes.
    pub fn write(&mut self, most: usize) -> bool {
        write(&mut self.connection.transmit(), &mut self.under_way, most)
    }

    /// Sends a message that is lent, of which at once as much leaves as these steps take.
    pub fn lend(&mut self, message: (bool, Vec<u8>), steps: [u16; 3]) {
        let queued = self.connection.queued();
        let result = self
            .connection
            .transmit_message(data(message.0, &message.1));
        let result = result.map(|mut transmit| {
            for step in steps {
                write(&mut transmit, &mut self.under_way, step.into());
            }
        });
        self.note(message, false, true, queued, result);
    }

    /// Brings at most so many bytes from the peer, and receives at most so many events; gives
    /// whether anything happened.
    pub fn read(&mut self, peer: &mut Self, most: usize, events: usize) -> bool {
        if !self.connection.wants_read() {
            return false;
        }
        let len = most.min(peer.under_way.len());
        let bytes = peer.under_way.make_contiguous()[..len].to_vec();
        peer.under_way.drain(..len);
        self.rx.extend_from_slice(&bytes);
        self.arrived.extend(&bytes);
        let ends = peer.is_shut && peer.under_way.is_empty() && !self.eof;
        let events = if ends { usize::MAX } else { events };
        let mut moved = ends || !bytes.is_empty();
        for _ in 0..events {
            match self.connection.receive(&mut self.rx) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    moved = true;
                    assert!(
                        !self.closed && self.error.is_none(),
                        "{event:?} after the end"
                    );
                    judge(
                        event,
                        (&self.pings, &mut self.next_pong),
                        Seen {
                            messages: &mut self.seen,
                            part: &mut self.part,
                            pings: &mut self.pings_seen,
                            held: &mut self.held,
                            closed: &mut self.closed,
                        },
                        peer,
                    );
                }
                Err(error) => {
                    self.fail(error, peer);
                    break;
                }
            }
        }
        if ends {
            self.eof = true;
            self.connection.receive_eof();
            assert!(self.connection.outcome().is_some());
        }
        moved
    }

    /// An honest peer breaks nothing but the limit.
    fn fail(&mut self, error: ProtocolError, peer: &Self) {
        assert_eq!(*self.error.get_or_insert(error), error);
        let next = peer
            .sent
            .get(self.seen)
            .map_or(0, |message| message.bytes.len());
        // At the lowest memory level, compression may add a 25th to what does not compress.
        let more = if self.limits.deflate {
            next / 16 + 100
        } else {
            0
        };
        let too_big = matches!(
            error,
            ProtocolError::MessageTooBig { .. } | ProtocolError::FrameTooBig { .. }
        );
        assert!(
            too_big && next + more > self.limits.message,
            "{error:?}, {next} bytes"
        );
    }

    pub fn release(&mut self) {
        self.connection.release();
        self.rx.release();
    }

    /// What holds between any two operations, once the time is known.
    pub fn check(&mut self, now: Timestamp) {
        self.connection.handle_timeout(now);
        let next = self.connection.poll_timeout();
        assert!(
            next.is_none_or(|next| next > now),
            "a deadline that stays due"
        );
        let largest = self.largest;
        let bound = self.limits.write.max(largest + largest / 16 + 114) + 9 * 139;
        let queued = self.connection.queued();
        assert!(queued <= bound, "{queued} bytes queued of {bound}");
    }

    /// Shuts the sending direction down when it is time; gives whether it did.
    fn shut(&mut self) -> bool {
        let shuts = self.connection.wants_shutdown() && !self.is_shut;
        self.is_shut |= shuts;
        shuts
    }

    /// What is complete on the wire has been delivered, unless this end stopped listening.
    fn check_delivered(&self, peer: &Self, was_cut: bool) {
        let timed_out = matches!(self.connection.outcome(), Some(CloseOutcome::TimedOut(_)));
        if self.error.is_some() || timed_out {
            return;
        }
        assert_eq!(self.seen, messages_on_wire(&self.arrived));
        if !was_cut {
            assert_eq!(
                self.seen,
                peer.sent.iter().filter(|message| message.ended).count()
            );
            assert_eq!(self.pings_seen, peer.pings.len());
        }
    }
}

/// What an endpoint has seen of the other.
struct Seen<'a> {
    messages: &'a mut usize,
    part: &'a mut usize,
    pings: &'a mut usize,
    held: &'a mut Bytes,
    closed: &'a mut bool,
}

/// An event must be what the peer sent next, and a pong what one of our pings asked for.
fn judge(event: Event<'_>, (pings, next_pong): (&[usize], &mut usize), seen: Seen<'_>, peer: &End) {
    let mut come = |data: Data<'_>, last: bool| {
        let expected = &peer.sent[*seen.messages];
        let bytes = data.as_bytes();
        let end = *seen.part + bytes.len();
        assert_eq!(expected.is_text, matches!(data, Data::Text(_)));
        assert!(expected.bytes[*seen.part..end] == *bytes);
        *seen.part = end;
        if last {
            assert!(expected.ended && end == expected.bytes.len());
            (*seen.messages, *seen.part) = (*seen.messages + 1, 0);
        }
    };
    let number = |payload: &[u8]| match payload {
        [b'p', a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d]) as usize),
        _ => {
            // The keep-alive ping counts.
            assert!(payload.len() == 8 && payload[0] == 0);
            None
        }
    };
    let choice = |data: &[u8]| data.first().map_or(0, |first| first % 3);
    match event {
        Event::Text(text) => come(Data::Text(&text), true),
        // Lent, taken along for a while, or only for a moment.
        Event::Binary(data) if choice(&data) == 0 => come(Data::Binary(&data), true),
        Event::Binary(data) => {
            let is_kept = choice(&data) == 1;
            let data = data.into_bytes();
            come(Data::Binary(&data), true);
            *seen.held = if is_kept { data } else { Bytes::new() };
        }
        Event::Chunk(Chunk { data, last }) => come(data, last),
        Event::Ping(payload) => {
            if let Some(number) = number(payload) {
                assert_eq!((number, peer.pings[number]), (*seen.pings, *seen.messages));
                *seen.pings += 1;
            }
        }
        Event::Pong(payload) => {
            if let Some(number) = number(payload) {
                assert!((*next_pong..pings.len()).contains(&number));
                *next_pong = number + 1;
            }
        }
        Event::Close(_) => {
            let ended = peer.sent.iter().filter(|message| message.ended).count();
            assert_eq!((*seen.messages, *seen.pings), (ended, peer.pings.len()));
            *seen.closed = true;
        }
    }
}

/// The socket takes at most so many bytes, as slices; gives whether it took any.
fn write(transmit: &mut impl Buf, to: &mut VecDeque<u8>, mut most: usize) -> bool {
    let before = to.len();
    while most > 0 && transmit.has_remaining() {
        let mut slices = [IoSlice::new(&[]); 3];
        let count = transmit.chunks_vectored(&mut slices);
        let mut taken = 0;
        for slice in &slices[..count] {
            let part = &slice[..slice.len().min(most - taken)];
            to.extend(part);
            taken += part.len();
        }
        assert!(taken > 0);
        transmit.advance(taken);
        most -= taken;
    }
    to.len() > before
}

/// How many messages end in these bytes.
fn messages_on_wire(mut bytes: &[u8]) -> usize {
    let mut ended = 0;
    while let Some((header, size)) = Header::decode(bytes).unwrap() {
        let Some(rest) = bytes.get(size + header.payload_len as usize..) else {
            break;
        };
        ended += usize::from(header.fin && !header.opcode.is_control());
        bytes = rest;
    }
    ended
}

/// Lets all that is queued and under way arrive, unless the link was cut: then nothing more leaves,
/// and of what is under way all arrives.
pub fn run([a, b]: &mut [End; 2], was_cut: bool) {
    loop {
        let mut moved = false;
        for end in [&mut *a, &mut *b] {
            if !was_cut {
                moved |= end.write(usize::MAX) | end.shut();
            }
        }
        moved |= a.read(b, usize::MAX, usize::MAX) | b.read(a, usize::MAX, usize::MAX);
        if !moved {
            return;
        }
    }
}

/// The link breaks: of what is under way at most so much arrives.
pub fn cut([a, b]: &mut [End; 2], keep: usize) {
    for end in [a, b] {
        end.under_way.truncate(keep);
        end.is_shut = true;
    }
}

/// The end of an input: all has come that should, and both ends come to rest.
pub fn finish(ends: &mut [End; 2], was_cut: bool, now: Timestamp) {
    for closing in [false, true] {
        for end in &mut *ends {
            if closing {
                _ = end.connection.close(None);
            }
        }
        run(ends, was_cut);
        let [a, b] = &*ends;
        a.check_delivered(b, was_cut);
        b.check_delivered(a, was_cut);
    }
    let later = now.saturating_add(Duration::from_secs(3600));
    for end in ends {
        let outcome = end.connection.outcome().cloned();
        assert!(outcome.is_some());
        end.check(later);
        assert_eq!(end.connection.outcome().cloned(), outcome);
    }
}
