//! tokio-websockets.

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio_websockets::{
    ClientBuilder, Config, Error, Limits, Message, ServerBuilder, WebSocketStream,
};

use super::{Contender, Peer, sinks};
use crate::case::{Action, Case, Role};
use crate::memory::Memory;

pub struct TokioWebsockets;

const NAME: &str = "tokio-websockets";

/// Of its defaults only the flush threshold is raised, that a batch leaves together; it has no
/// compression.
impl Peer for TokioWebsockets {
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender> {
        let config = Config::default().flush_threshold(128 * 1024);
        let websocket: WebSocketStream<Memory> = match case.role {
            Role::Server => server(config).serve(io.clone()),
            Role::Client => {
                let client = ClientBuilder::new().config(config);
                client.limits(Limits::unlimited()).take_over(io.clone())
            }
        };
        vec![match case.action {
            Action::Receive => sinks::receive::<Self, _>(NAME, websocket),
            Action::Send | Action::SendBatch => sinks::send::<Self, _>(NAME, case, websocket),
            Action::Echo => sinks::echo::<Self, _>(NAME, case, websocket),
            Action::Inflate | Action::Deflate => return Vec::new(),
        }]
    }

    fn serves(&self) -> Option<&'static str> {
        Some(NAME)
    }

    fn serve(&self, stream: TcpStream, are_many: bool) {
        let websocket = server(Config::default()).serve(stream);
        tokio::spawn(sinks::serve::<Self, _>(websocket, are_many));
    }
}

fn server(config: Config) -> ServerBuilder {
    ServerBuilder::new()
        .config(config)
        .limits(Limits::unlimited())
}

impl sinks::Library for TokioWebsockets {
    type Item = Result<Message, Error>;
    type Message = Message;

    fn open(item: Self::Item) -> Option<Message> {
        item.ok()
    }

    fn payload(message: &Message) -> &[u8] {
        message.as_payload()
    }

    fn make(_: bool, payload: &Bytes) -> Message {
        Message::binary(payload.clone())
    }
}
