//! yawc, with checks of UTF-8, as the others have.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use yawc::{CompressionLevel, Frame, Options, Role as TheirRole, WebSocket};

use super::{Contender, Peer, sinks};
use crate::case::{Action, Case, Kind, Role};
use crate::memory::Memory;

pub struct Yawc;

const NAME: &str = "yawc";

impl Peer for Yawc {
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender> {
        let role = match case.role {
            Role::Server => TheirRole::Server,
            Role::Client => TheirRole::Client,
        };
        let extension = match (case.is_compressed(), case.kind) {
            (false, _) => None,
            (true, Kind::JsonAlone) => {
                Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
            }
            (true, _) => Some("permessage-deflate"),
        };
        let websocket = websocket(io.clone(), role, extension);
        vec![match case.action {
            Action::Receive | Action::Inflate => sinks::receive::<Self, _>(NAME, websocket),
            Action::Send | Action::SendBatch | Action::Deflate => {
                sinks::send::<Self, _>(NAME, case, websocket)
            }
            Action::Echo => sinks::echo::<Self, _>(NAME, case, websocket),
        }]
    }

    fn serves(&self) -> Option<&'static str> {
        Some(NAME)
    }

    fn serve(&self, stream: TcpStream, are_many: bool) {
        let websocket = websocket(stream, TheirRole::Server, None);
        tokio::spawn(sinks::serve::<Self, _>(websocket, are_many));
    }
}

/// The buffers that its authors measure with, and limits that the messages fit into.
fn websocket<S>(io: S, role: TheirRole, extension: Option<&str>) -> WebSocket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut options = Options::default()
        .with_utf8()
        .with_limits(64 << 20, 128 << 20)
        .with_read_buffer_capacity(128 * 1024)
        .with_backpressure_boundary(64 * 1024);
    if extension.is_some() {
        options = options.with_compression_level(CompressionLevel::new(6));
    }
    WebSocket::from_stream_with_extensions(io, role, extension, options).unwrap()
}

impl sinks::Library for Yawc {
    type Item = Frame;
    type Message = Frame;

    fn open(frame: Frame) -> Option<Frame> {
        Some(frame)
    }

    fn payload(frame: &Frame) -> &[u8] {
        frame.payload()
    }

    fn make(is_text: bool, payload: &Bytes) -> Frame {
        match is_text {
            true => Frame::text(payload.clone()),
            false => Frame::binary(payload.clone()),
        }
    }
}
