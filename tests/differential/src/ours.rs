//! sansocket as a function from bytes to events and answers.

use bytes::Buf;
use sansocket::{Config, Connection, Event, MaskKeys, ReceiveBuffer, State};

use crate::{End, LIMIT, Received, Role, Seen, answers};

/// The same key for every frame. For tests only.
struct Fixed;

impl MaskKeys for Fixed {
    fn next_key(&mut self) -> [u8; 4] {
        [0x12, 0x34, 0x56, 0x78]
    }
}

pub fn connection(role: Role) -> Connection {
    let config = Config::new()
        .max_message_size(LIMIT as u64)
        .write_limit(usize::MAX);
    match role {
        Role::Client => Connection::client(config, Fixed),
        Role::Server => Connection::server(config),
    }
}

pub fn transmit_all(connection: &mut Connection) -> Vec<u8> {
    let mut transmit = connection.transmit();
    let len = transmit.remaining();
    transmit.copy_to_bytes(len).to_vec()
}

fn owned(event: Event<'_>) -> Seen {
    match event {
        Event::Text(text) => Seen::Text(text.into_string()),
        Event::Binary(data) => Seen::Binary(data.to_vec()),
        Event::Ping(data) => Seen::Ping(data.to_vec()),
        Event::Pong(data) => Seen::Pong(data.to_vec()),
        Event::Close(frame) => {
            Seen::Close(frame.map(|frame| (frame.code().get(), frame.reason().into())))
        }
        Event::Chunk(chunk) => panic!("whole messages were asked for: {chunk:?}"),
    }
}

/// What a connection makes of `bytes`, in reads of these sizes over and over.
pub fn receive(connection: &mut Connection, role: Role, bytes: &[u8], reads: &[usize]) -> Received {
    let (mut seen, mut sent, mut rx) = (Vec::new(), Vec::new(), ReceiveBuffer::new());
    let mut end = End::Open;
    let mut sizes = reads.iter().cycle();
    let mut rest = bytes;
    while !rest.is_empty() && end == End::Open {
        let size = sizes
            .next()
            .map_or(rest.len(), |size| (*size).clamp(1, rest.len()));
        rx.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        loop {
            let event = connection.receive(&mut rx);
            let is_last = !matches!(event, Ok(Some(_)));
            match event {
                Ok(Some(event)) => seen.push(owned(event)),
                Ok(None) => {}
                Err(error) => end = End::Failed(format!("{error:?}")),
            }
            // A pong leaves before the next ping is looked at.
            sent.extend(transmit_all(connection));
            if is_last {
                break;
            }
        }
        if end == End::Open && connection.state() != State::Open {
            end = End::Closed;
        }
    }
    Received {
        seen,
        answers: answers(role, &sent),
        end,
    }
}
