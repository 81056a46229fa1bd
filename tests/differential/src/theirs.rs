//! tungstenite as a function from bytes to events and answers.

use std::io::{self, ErrorKind, Read, Write};

use tungstenite::protocol::{self, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};

use crate::{End, LIMIT, Received, Role, Seen, answers};

/// Gives what has been put in, in reads of these sizes, and blocks at its end; takes everything.
pub struct Pipe {
    pub input: Vec<u8>,
    pub output: Vec<u8>,
    at: usize,
    reads: Vec<usize>,
    turn: usize,
}

impl Read for Pipe {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let rest = &self.input[self.at..];
        if rest.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let size = self.reads.get(self.turn % self.reads.len().max(1));
        let size = size.map_or(usize::MAX, |size| (*size).max(1));
        let size = size.min(rest.len()).min(to.len());
        to[..size].copy_from_slice(&rest[..size]);
        self.turn += 1;
        self.at += size;
        Ok(size)
    }
}

impl Write for Pipe {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(from);
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn websocket(role: Role, input: &[u8], reads: &[usize]) -> WebSocket<Pipe> {
    let pipe = Pipe {
        input: input.to_vec(),
        output: Vec::new(),
        at: 0,
        reads: reads.to_vec(),
        turn: 0,
    };
    let role = match role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT));
    WebSocket::from_raw_socket(pipe, role, Some(config))
}

fn owned(message: Message) -> Seen {
    match message {
        Message::Text(text) => Seen::Text(text.as_str().into()),
        Message::Binary(data) => Seen::Binary(data.into()),
        Message::Ping(data) => Seen::Ping(data.into()),
        Message::Pong(data) => Seen::Pong(data.into()),
        Message::Close(frame) => {
            Seen::Close(frame.map(|frame| (frame.code.into(), frame.reason.as_str().into())))
        }
        Message::Frame(frame) => panic!("a frame is none of what is read: {frame:?}"),
    }
}

/// What a WebSocket makes of what is in its pipe.
pub fn receive(websocket: &mut WebSocket<Pipe>, role: Role) -> Received {
    let mut seen = Vec::new();
    let end = loop {
        match websocket.read() {
            Ok(message) => {
                let is_close = message.is_close();
                seen.push(owned(message));
                if is_close {
                    break End::Closed;
                }
            }
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break End::Open,
            Err(Error::ConnectionClosed) => break End::Closed,
            Err(error) => break End::Failed(format!("{error:?}")),
        }
    };
    // At the end of the closing handshake this says so, having written the answer.
    match websocket.flush() {
        Ok(()) | Err(Error::ConnectionClosed) => {}
        Err(error) => panic!("{error}"),
    }
    let sent = std::mem::take(&mut websocket.get_mut().output);
    Received {
        seen,
        answers: answers(role, &sent),
        end,
    }
}
