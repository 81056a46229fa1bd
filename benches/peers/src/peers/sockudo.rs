//! sockudo-ws, without its timers: the others have none either, and some need a runtime.

use bytes::Bytes;
use sockudo_ws::deflate::{DeflateConfig, DeflateWindowBits};
use sockudo_ws::{CompressedWebSocketStream, Config, Error, Message, WebSocketStream};
use tokio::net::TcpStream;

use super::{Contender, Peer, sinks};
use crate::case::{Action, Case, Kind, Role};
use crate::memory::Memory;

pub struct Sockudo;

const NAME: &str = "sockudo-ws";

impl Peer for Sockudo {
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender> {
        let websocket = match case.role {
            Role::Server => WebSocketStream::server(io.clone(), config()),
            Role::Client => WebSocketStream::client(io.clone(), config()),
        };
        vec![match case.action {
            Action::Receive => sinks::receive::<Self, _>(NAME, websocket),
            Action::Send | Action::SendBatch => sinks::send::<Self, _>(NAME, case, websocket),
            Action::Echo => sinks::echo::<Self, _>(NAME, case, websocket),
            Action::Inflate => sinks::receive::<Self, _>(NAME, compressed(case, io)),
            Action::Deflate => sinks::send::<Self, _>(NAME, case, compressed(case, io)),
        }]
    }

    fn serves(&self) -> Option<&'static str> {
        Some(NAME)
    }

    fn serve(&self, stream: TcpStream, are_many: bool) {
        let websocket = WebSocketStream::server(stream, config());
        tokio::spawn(sinks::serve::<Self, _>(websocket, are_many));
    }
}

fn config() -> Config {
    Config {
        idle_timeout: 0,
        auto_ping: false,
        ..Config::default()
    }
}

fn compressed(case: &Case, io: &Memory) -> CompressedWebSocketStream<Memory> {
    let is_alone = case.kind == Kind::JsonAlone;
    let deflate = DeflateConfig {
        server_max_window_bits: DeflateWindowBits::Bits15,
        client_max_window_bits: DeflateWindowBits::Bits15,
        server_no_context_takeover: is_alone,
        client_no_context_takeover: is_alone,
        compression_level: 6,
        ..DeflateConfig::default()
    };
    CompressedWebSocketStream::server(io.clone(), config(), deflate)
}

impl sinks::Library for Sockudo {
    type Item = Result<Message, Error>;
    type Message = Message;

    fn open(item: Self::Item) -> Option<Message> {
        item.ok()
    }

    fn payload(message: &Message) -> &[u8] {
        message.as_bytes()
    }

    fn make(is_text: bool, payload: &Bytes) -> Message {
        match is_text {
            true => Message::Text(payload.clone()),
            false => Message::Binary(payload.clone()),
        }
    }
}
