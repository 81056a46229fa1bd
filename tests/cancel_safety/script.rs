//! What is said in a conversation, and by whom.

use sansocket::futures_io::{Error, ReceiveHalf, SendHalf, WebSocket};
use sansocket::{Chunk, CloseCode, Connection, Event, Message, State};

use futures_util::{SinkExt, StreamExt};

use crate::common::stalling::{Boxed, Source, Stalling, Still};
use crate::common::{Seen, data, note, text};

/// A call on our side.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Recv,
    RecvEvent,
    /// Of a whole WebSocket: answers what comes.
    RecvWithConnection,
    Next,
    Feed(Message),
    Send(Message),
    SendLent(Message),
    FeedChunk(&'static str, bool),
    SendFrom,
    Ping(&'static [u8]),
    Flush,
    Close,
    SinkFeed(Message),
    SinkSend(Message),
    SinkFlush,
    SinkClose,
}

/// What the peer does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Does {
    Text(usize),
    Binary(usize),
    /// A text in three fragments, with a ping among them.
    Fragments(usize),
    Ping(&'static [u8]),
    Close,
    /// Sends what is no UTF-8.
    Violates,
    /// Ends the stream without a word.
    Vanishes,
}

impl Does {
    /// The message that it sends, if it does.
    pub(crate) fn message(self) -> Option<Seen> {
        match self {
            Self::Text(len) => Some(Seen::Text(text(len))),
            Self::Binary(len) => Some(Seen::Binary(data(len))),
            Self::Fragments(len) => Some(Seen::Text(text(len).repeat(2))),
            Self::Ping(_) | Self::Close | Self::Violates | Self::Vanishes => None,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    We(Op),
    Peer(Does),
}

use Step::{Peer, We};

/// How a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    WeClose,
    SinkCloses,
    PeerCloses,
    PeerViolates,
    PeerVanishes,
}

pub(crate) const ENDS: [End; 5] = [
    End::WeClose,
    End::SinkCloses,
    End::PeerCloses,
    End::PeerViolates,
    End::PeerVanishes,
];

/// All calls there are, with messages of which the largest have `large` bytes.
pub(crate) fn conversation(large: usize, end: End) -> Vec<Step> {
    let small = large / 20;
    let mut steps = vec![
        Peer(Does::Text(small)),
        Peer(Does::Ping(b"1")),
        Peer(Does::Binary(large)),
        We(Op::Recv),
        We(Op::RecvEvent),
        We(Op::Feed(text(20).into())),
        We(Op::Feed(data(large / 2).into())),
        We(Op::Feed(text(small).into())),
        We(Op::Feed(data(large / 2).into())),
        We(Op::RecvEvent),
        We(Op::Send(data(large).into())),
        We(Op::SendLent(data(large).into())),
        We(Op::Feed(text(small).into())),
        We(Op::SendLent(text(large / 2).into())),
        We(Op::Ping(b"2")),
        We(Op::RecvEvent),
        Peer(Does::Fragments(small)),
        We(Op::FeedChunk("in", false)),
        We(Op::Ping(b"3")),
        We(Op::FeedChunk("", false)),
        We(Op::FeedChunk("parts", true)),
        We(Op::Flush),
        // The peer's ping, its message, and our pong.
        We(Op::RecvWithConnection),
        We(Op::RecvWithConnection),
        We(Op::RecvWithConnection),
        We(Op::SendFrom),
        Peer(Does::Ping(b"4")),
        Peer(Does::Text(small)),
        We(Op::Next),
        We(Op::SinkFeed(data(small).into())),
        We(Op::SinkFeed(text(large / 2).into())),
        We(Op::SinkFlush),
        We(Op::SinkSend(data(large).into())),
    ];
    steps.extend(match end {
        End::WeClose => [We(Op::Close), We(Op::Recv)],
        End::SinkCloses => [We(Op::SinkClose), We(Op::Next)],
        End::PeerCloses => [Peer(Does::Close), We(Op::RecvEvent)],
        End::PeerViolates => [Peer(Does::Violates), We(Op::RecvEvent)],
        End::PeerVanishes => [Peer(Does::Vanishes), We(Op::RecvEvent)],
    });
    // It stays so, and what comes too late comes back.
    let late = Message::from("late");
    steps.extend(
        [
            Op::RecvEvent,
            Op::Recv,
            Op::Send(late.clone()),
            Op::SinkSend(late),
            Op::Flush,
        ]
        .map(We),
    );
    steps
}

/// The messages that come to us, and those that come to the peer, unless the stream fails.
pub(crate) fn messages(steps: &[Step], source: usize, in_halves: bool) -> [Vec<Seen>; 2] {
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Peer(does) => ours.extend(does.message()),
            We(
                Op::Feed(message)
                | Op::Send(message)
                | Op::SendLent(message)
                | Op::SinkFeed(message)
                | Op::SinkSend(message),
            ) => peers.push(seen(message.clone())),
            We(Op::FeedChunk(_, true)) => peers.push(Seen::text("inparts")),
            We(Op::SendFrom) => peers.push(Seen::Binary(data(source))),
            We(Op::RecvWithConnection) if !in_halves => peers.push(Seen::text("answer")),
            _ => {}
        }
    }
    // The late ones.
    peers.truncate(peers.len() - 2);
    [ours, peers]
}

pub(crate) fn seen(message: Message) -> Seen {
    match message {
        Message::Text(text) => Seen::Text(text),
        Message::Binary(data) => Seen::Binary(data.to_vec()),
    }
}

/// How a call went.
pub(crate) enum Done {
    /// A part of a message has come: the next one belongs to it.
    InPart,
    With(String),
}

fn done(result: Result<(), Error>) -> Done {
    Done::With(match result {
        Ok(()) => "done".into(),
        Err(error) => format!("{error:?}"),
    })
}

/// Takes down an event.
fn noted(seen: &mut Vec<Seen>, event: Result<Option<Event<'_>>, Error>) -> Done {
    match event {
        Ok(Some(event)) => {
            note(seen, event);
            match seen.last() {
                Some(Seen::TextPart(_, false) | Seen::BinaryPart(_, false)) => Done::InPart,
                _ => Done::With("event".into()),
            }
        }
        Ok(None) => Done::With("end".into()),
        Err(error) => done(Err(error)),
    }
}

fn noted_message(noted: &mut Vec<Seen>, message: Result<Option<Message>, Error>) -> Done {
    match message {
        Ok(Some(message)) => {
            noted.push(seen(message));
            Done::With("message".into())
        }
        Ok(None) => Done::With("end".into()),
        Err(error) => done(Err(error)),
    }
}

type Whole = WebSocket<Stalling, Still>;
type Halves = (ReceiveHalf<Stalling, Still>, SendHalf<Stalling, Still>);

/// Our side of the conversation.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Ours {
    Whole(Whole),
    Halves(Halves),
}

macro_rules! receive {
    ($from:expr, $op:expr, $seen:expr) => {
        match $op {
            Op::Recv => noted_message($seen, $from.recv().await),
            Op::Next => noted_message($seen, $from.next().await.transpose()),
            _ => noted($seen, $from.recv_event().await),
        }
    };
}

macro_rules! send {
    ($to:expr, $op:expr, $source:expr) => {
        done(match $op {
            Op::Feed(message) => $to.feed(message.clone()).await,
            Op::Send(message) => $to.send(message.clone()).await,
            Op::SendLent(Message::Text(text)) => $to.send_text(text).await,
            Op::SendLent(Message::Binary(data)) => $to.send_binary(data).await,
            Op::FeedChunk(part, last) => {
                let last = *last;
                $to.feed_chunk(Chunk {
                    last,
                    ..Chunk::text(part)
                })
                .await
            }
            Op::SendFrom => $to.send_from($source).await.map(drop),
            Op::Ping(payload) => $to.ping(payload).await,
            Op::Close => $to.close(CloseCode::NORMAL).await,
            Op::SinkFeed(message) => SinkExt::feed($to, message.clone()).await,
            Op::SinkSend(message) => SinkExt::send($to, message.clone()).await,
            Op::SinkFlush => SinkExt::flush($to).await,
            Op::SinkClose => SinkExt::close($to).await,
            _ => $to.flush().await,
        })
    };
}

impl Op {
    fn receives(&self) -> bool {
        matches!(
            self,
            Self::Recv | Self::RecvEvent | Self::RecvWithConnection | Self::Next
        )
    }

    /// What gives events in place of messages.
    pub(crate) fn of_events(self) -> Self {
        match self {
            Self::Recv | Self::Next => Self::RecvEvent,
            other => other,
        }
    }

    /// What is left to be called when it was dropped, as its page says: that depends on whether
    /// anything was queued meanwhile, and on the state.
    pub(crate) fn left(self, was_queued: bool, state: State) -> Self {
        match self {
            Self::Send(_) | Self::SendLent(_) | Self::SinkSend(_) | Self::Ping(_) if was_queued => {
                Self::Flush
            }
            Self::Close if state != State::Open => Self::Flush,
            other => other,
        }
    }
}

impl Ours {
    pub(crate) fn start<'a>(
        &'a mut self,
        op: &'a Op,
        source: &'a mut Source,
        seen: &'a mut Vec<Seen>,
    ) -> Boxed<'a, Done> {
        match self {
            Self::Whole(whole) => Box::pin(async move {
                match op {
                    Op::RecvWithConnection => match whole.recv_with_connection().await {
                        Ok(Some((event, connection))) => {
                            let done = noted(seen, Ok(Some(event)));
                            if let Done::With(_) = done {
                                // As with all answers: there may be no room.
                                let _ = connection.send_text("answer");
                            }
                            done
                        }
                        Ok(None) => noted(seen, Ok(None)),
                        Err(error) => noted(seen, Err(error)),
                    },
                    _ if op.receives() => receive!(whole, op, seen),
                    _ => send!(whole, op, source),
                }
            }),
            Self::Halves((receive, send)) => Box::pin(async move {
                if op.receives() {
                    receive!(receive, op, seen)
                } else {
                    send!(send, op, source)
                }
            }),
        }
    }

    pub(crate) fn with_connection<R>(&self, look: impl FnOnce(&Connection) -> R) -> R {
        match self {
            Self::Whole(whole) => look(whole.connection()),
            Self::Halves((receive, _)) => receive.with_connection(look),
        }
    }
}
