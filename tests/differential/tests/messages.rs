//! What one implementation sends, the other receives as it was meant: both directions at once, in
//! fragments, with pings between them, up to the closing handshake.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sansocket::{Chunk, CloseCode, CloseFrame};
use sansocket_differential::generate::{Message, messages, reads};
use sansocket_differential::{End, ROLES, Role, Seen, cases, frames, ours, theirs};
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

impl Sends for sansocket::Connection {
    fn message(&mut self, message: &Message) {
        let result = match message.is_text {
            true => self.send_text(std::str::from_utf8(&message.payload).expect("a text")),
            false => self.send_binary(&message.payload),
        };
        result.expect("no limit");
    }

    fn part(&mut self, message: &Message, _: bool, part: &[u8], last: bool) {
        let chunk = match message.is_text {
            true => Chunk::text(std::str::from_utf8(part).expect("whole characters")),
            false => Chunk::binary(part),
        };
        let chunk = if last { chunk.last() } else { chunk };
        self.send_chunk(chunk).expect("no limit");
    }

    fn ping(&mut self, data: &[u8]) {
        self.ping(data).expect("no limit");
    }
}

impl Sends for tungstenite::WebSocket<theirs::Pipe> {
    fn message(&mut self, message: &Message) {
        let message = match message.is_text {
            true => String::from_utf8(message.payload.clone())
                .expect("a text")
                .into(),
            false => tungstenite::Message::binary(message.payload.clone()),
        };
        self.write(message).expect("no limit");
    }

    fn part(&mut self, message: &Message, first: bool, part: &[u8], last: bool) {
        let data = match (first, message.is_text) {
            (false, _) => Data::Continue,
            (true, true) => Data::Text,
            (true, false) => Data::Binary,
        };
        let frame = Frame::message(part.to_vec(), OpCode::Data(data), last);
        self.write(tungstenite::Message::Frame(frame))
            .expect("no limit");
    }

    fn ping(&mut self, data: &[u8]) {
        let ping = tungstenite::Message::Ping(data.to_vec().into());
        self.write(ping).expect("no limit");
    }
}

/// Either implementation, as one who sends.
trait Sends {
    fn message(&mut self, message: &Message);
    fn part(&mut self, message: &Message, first: bool, part: &[u8], last: bool);
    fn ping(&mut self, data: &[u8]);
}

/// Sends a message, whole or in its fragments, with its pings between them.
fn send(to: &mut impl Sends, message: &Message) {
    if message.cuts.is_empty() {
        return to.message(message);
    }
    let (mut rest, mut first) = (&message.payload[..], true);
    let mut between = message.between.iter();
    for cut in &message.cuts {
        let mut cut = (*cut).min(rest.len());
        // Our chunks of text are text themselves.
        while message.is_text && std::str::from_utf8(&rest[..cut]).is_err() {
            cut += 1;
        }
        let (part, more) = rest.split_at(cut);
        to.part(message, first, part, false);
        (rest, first) = (more, false);
        if let Some((_, data)) = between.next() {
            to.ping(data);
        }
    }
    to.part(message, first, rest, true);
}

/// What is to be seen of the messages, and the answers that their pings ask for.
fn expected(messages: &[Message]) -> (Vec<Seen>, Vec<(u8, Vec<u8>)>) {
    let (mut seen, mut pongs) = (Vec::new(), Vec::new());
    for message in messages {
        for (_, data) in message.between.iter().take(message.cuts.len()) {
            seen.push(Seen::Ping(data.clone()));
            pongs.push((10, data.clone()));
        }
        seen.push(match message.is_text {
            true => Seen::Text(String::from_utf8(message.payload.clone()).expect("a text")),
            false => Seen::Binary(message.payload.clone()),
        });
    }
    (seen, pongs)
}

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_we_send_they_receive(
        role in select(&ROLES[..]),
        messages in vec(messages(), 0..5),
        reason in "[a-zé]{0,20}",
        reads in reads(),
    ) {
        let mut connection = ours::connection(role);
        messages.iter().for_each(|message| send(&mut connection, message));
        let close = CloseFrame::new(CloseCode::GOING_AWAY, reason.as_str());
        connection.close(close).unwrap();
        let bytes = ours::transmit_all(&mut connection);
        prop_assert!(frames(&bytes).iter().all(|frame| frame.rsv == 0));

        let mut peer = theirs::websocket(other(role), &bytes, &reads);
        let got = theirs::receive(&mut peer, other(role));
        let (mut seen, mut answers) = expected(&messages);
        seen.push(Seen::Close(Some((1001, reason.clone()))));
        let body = [&1001_u16.to_be_bytes(), reason.as_bytes()].concat();
        answers.push((8, body));
        prop_assert_eq!(got.seen, seen);
        prop_assert_eq!(got.answers, answers);
        prop_assert_eq!(got.end, End::Closed);
    }

    #[test]
    fn what_they_send_we_receive(
        role in select(&ROLES[..]),
        messages in vec(messages(), 0..5),
        reason in "[a-zé]{0,20}",
        reads in reads(),
    ) {
        let mut peer = theirs::websocket(other(role), &[], &[]);
        messages.iter().for_each(|message| send(&mut peer, message));
        let close = tungstenite::protocol::CloseFrame {
            code: 1001.into(),
            reason: reason.as_str().into(),
        };
        peer.close(Some(close)).unwrap();
        let bytes = std::mem::take(&mut peer.get_mut().output);

        let got = ours::receive(&mut ours::connection(role), role, &bytes, &reads);
        let (mut seen, mut answers) = expected(&messages);
        seen.push(Seen::Close(Some((1001, reason))));
        answers.push((8, 1001_u16.to_be_bytes().to_vec()));
        prop_assert_eq!(got.seen, seen);
        prop_assert_eq!(got.answers, answers);
        prop_assert_eq!(got.end, End::Closed);
    }
}
