//! Libraries that are a `Stream` and a `Sink` of messages are all driven in the same way.

use std::fmt::Debug;

use bytes::Bytes;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};

use super::{Contender, Cycle, Path, now};
use crate::case::Case;

/// The messages of a library.
pub trait Library: 'static {
    /// What its stream gives.
    type Item;
    type Message;

    /// The message, if all went well.
    fn open(item: Self::Item) -> Option<Self::Message>;
    fn payload(message: &Self::Message) -> &[u8];
    fn make(is_text: bool, payload: &Bytes) -> Self::Message;
}

pub fn receive<L: Library, W>(name: &'static str, mut websocket: W) -> Contender
where
    W: Stream<Item = L::Item> + Unpin + 'static,
{
    Contender::new(name, Path::Owned, move |n, seen| {
        now(async {
            for _ in 0..n {
                let message = L::open(websocket.next().await.unwrap()).unwrap();
                seen.message(L::payload(&message));
            }
        });
    })
}

pub fn send<L: Library, W>(name: &'static str, case: &Case, mut websocket: W) -> Contender
where
    W: Sink<L::Message, Error: Debug> + Unpin + 'static,
{
    let (mut payloads, is_text, batch) = (Cycle::new(case), case.is_text(), case.batch());
    Contender::new(name, Path::Owned, move |n, _| {
        now(async {
            for i in 1..=n {
                let message = L::make(is_text, payloads.next());
                websocket.feed(message).await.unwrap();
                if i % batch == 0 || i == n {
                    websocket.flush().await.unwrap();
                }
            }
        });
    })
}

pub fn echo<L: Library, W>(name: &'static str, case: &Case, mut websocket: W) -> Contender
where
    W: Stream<Item = L::Item> + Sink<L::Message, Error: Debug> + Unpin + 'static,
{
    let batch = case.batch();
    Contender::new(name, Path::Owned, move |n, seen| {
        now(async {
            for i in 1..=n {
                let message = L::open(websocket.next().await.unwrap()).unwrap();
                seen.message(L::payload(&message));
                websocket.feed(message).await.unwrap();
                if i % batch == 0 || i == n {
                    websocket.flush().await.unwrap();
                }
            }
        });
    })
}

/// Echoes over a socket until it ends. Where many messages come at once, all that are there are
/// taken, and then answered together; where one comes at a time, looking for more would cost a call
/// each.
pub async fn serve<L: Library, W>(mut websocket: W, are_many: bool)
where
    W: Stream<Item = L::Item> + Sink<L::Message, Error: Debug> + Unpin,
{
    let mut messages = Vec::new();
    while let Some(message) = websocket.next().await.and_then(L::open) {
        messages.push(message);
        while are_many && let Some(Some(item)) = websocket.next().now_or_never() {
            let Some(message) = L::open(item) else { return };
            messages.push(message);
        }
        for message in messages.drain(..) {
            if websocket.feed(message).await.is_err() {
                return;
            }
        }
        if websocket.flush().await.is_err() {
            return;
        }
    }
}
