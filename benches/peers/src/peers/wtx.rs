//! wtx, with payloads lent from its own buffer where they lie there.

use std::io::Read;

use sansocket::MaskKeys;
use tokio::net::TcpStream;
use wtx::collection::Vector;
use wtx::rng::{ChaCha20, CryptoSeedableRng};
use wtx::stream::{StreamReader, StreamWriter};
use wtx::web_socket::compression::{Flate2, NegotiatedCompression, WindowBits};
use wtx::web_socket::{
    Compression, CompressionLevel, DeflateConfig, Frame, OpCode, WebSocketBuffer, WebSocketOwned,
    WebSocketPayloadOrigin::Adaptive,
};

use super::{Contender, Cycle, Path, Peer, now};
use crate::case::{Action, Case, Kind, Role};
use crate::memory::Memory;

pub struct Wtx;

const NAME: &str = "wtx";

/// It cannot send in batches: each message is written at once.
impl Peer for Wtx {
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender> {
        vec![match (case.action, case.role, case.kind) {
            (Action::Receive, Role::Server, _) => receive(websocket::<_, _, false>(io.clone(), ())),
            (Action::Receive, Role::Client, _) => receive(websocket::<_, _, true>(io.clone(), ())),
            (Action::Send, Role::Server, _) => send(case, websocket::<_, _, false>(io.clone(), ())),
            (Action::Send, Role::Client, _) => send(case, websocket::<_, _, true>(io.clone(), ())),
            (Action::Echo, ..) => echo(websocket(io.clone(), ())),
            (Action::Inflate, _, Kind::JsonAlone) => {
                receive(websocket::<_, _, false>(io.clone(), compression()))
            }
            (Action::Deflate, _, Kind::JsonAlone) => {
                send(case, websocket::<_, _, false>(io.clone(), compression()))
            }
            // It forgets each message.
            (Action::Inflate | Action::Deflate | Action::SendBatch, ..) => return Vec::new(),
        }]
    }

    fn serves(&self) -> Option<&'static str> {
        Some(NAME)
    }

    fn serve(&self, stream: TcpStream, _: bool) {
        tokio::spawn(async move {
            let mut websocket = websocket::<_, _, false>(stream, ());
            let (mut common, mut reader, mut writer) = websocket.split_mut();
            let mut buffer = Vector::new();
            while let Ok(mut frame) = reader.read_frame(&mut buffer, &mut common, Adaptive).await {
                if writer.write_frame(&mut common, &mut frame).await.is_err() {
                    return;
                }
            }
        });
    }
}

impl StreamReader for Memory {
    async fn read(&mut self, bytes: &mut [u8]) -> wtx::Result<usize> {
        Ok(Read::read(self, bytes)?)
    }
}

impl StreamWriter for Memory {
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        self.swallow(bytes);
        Ok(())
    }

    async fn write_all_vectored(&mut self, bytes: &[&[u8]]) -> wtx::Result<()> {
        for bytes in bytes {
            self.swallow(bytes);
        }
        Ok(())
    }
}

type Websocket<S, C, const IS_CLIENT: bool> = WebSocketOwned<C, ChaCha20, S, IS_CLIENT>;

fn websocket<S, C, const IS_CLIENT: bool>(io: S, compression: C) -> Websocket<S, C, IS_CLIENT>
where
    S: StreamReader + StreamWriter,
    C: NegotiatedCompression,
{
    let mut seed = [0; 32];
    let mut keys = sansocket::OsMaskKeys::new().unwrap();
    for part in seed.as_chunks_mut::<4>().0 {
        *part = keys.next_key();
    }
    let rng = ChaCha20::from_seed(seed).unwrap();
    WebSocketOwned::new(compression, false, rng, io, WebSocketBuffer::new())
}

fn compression() -> impl NegotiatedCompression {
    let deflate = Flate2::from(DeflateConfig {
        client_max_window_bits: WindowBits::Fifteen,
        compression_level: CompressionLevel::Six,
        server_max_window_bits: WindowBits::Fifteen,
    });
    let agreed: [&[u8]; 2] = [b"sec-websocket-extensions", b"permessage-deflate"];
    let deflate = Compression::<false>::negotiate(deflate, [agreed].into_iter());
    deflate.unwrap().expect("compression is agreed on")
}

fn receive<C, const IS_CLIENT: bool>(mut websocket: Websocket<Memory, C, IS_CLIENT>) -> Contender
where
    C: NegotiatedCompression + 'static,
{
    let mut buffer = Vector::new();
    Contender::new(NAME, Path::Lent, move |n, seen| {
        now(async {
            for _ in 0..n {
                let frame = websocket.read_frame(&mut buffer, Adaptive).await.unwrap();
                seen.message(frame.payload());
            }
        });
    })
}

/// It masks what it is given: a client copies its message first.
fn send<C, const IS_CLIENT: bool>(
    case: &Case,
    mut websocket: Websocket<Memory, C, IS_CLIENT>,
) -> Contender
where
    C: NegotiatedCompression + 'static,
{
    let mut payloads = Cycle::new(case);
    let mut copies: Vec<Vec<u8>> = case
        .payloads
        .iter()
        .map(|payload| payload.to_vec())
        .collect();
    let mut next = 0;
    let opcode = match case.is_text() {
        true => OpCode::Text,
        false => OpCode::Binary,
    };
    Contender::new(NAME, Path::Lent, move |n, _| {
        now(async {
            for _ in 0..n {
                let copy = &mut copies[next];
                next = if next + 1 == payloads.len() {
                    0
                } else {
                    next + 1
                };
                if IS_CLIENT {
                    copy.copy_from_slice(payloads.next());
                }
                let mut frame = Frame::new_fin(opcode, copy.as_mut_slice());
                websocket.write_frame(&mut frame).await.unwrap();
            }
        });
    })
}

fn echo(mut websocket: Websocket<Memory, (), false>) -> Contender {
    let mut buffer = Vector::new();
    Contender::new(NAME, Path::Lent, move |n, seen| {
        now(async {
            let (mut common, mut reader, mut writer) = websocket.split_mut();
            for _ in 0..n {
                let next = reader.read_frame(&mut buffer, &mut common, Adaptive).await;
                let mut frame = next.unwrap();
                seen.message(frame.payload());
                writer.write_frame(&mut common, &mut frame).await.unwrap();
            }
        });
    })
}
