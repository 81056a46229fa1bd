//! soketto, behind buffers as its documentation shows. It receives into a buffer of the
//! application's, which is reused.

use futures_util::io::{AsyncRead, AsyncWrite, BufReader, BufWriter};
use soketto::connection::{Builder, Mode, Receiver, Sender};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::{Contender, Cycle, Path, Peer, now};
use crate::case::{Action, Case, Role};
use crate::memory::Memory;

pub struct Soketto;

const NAME: &str = "soketto";

const BUFFER: usize = 64 * 1024;

type Buffered<S> = BufReader<BufWriter<S>>;

/// Of its compression nothing can be compared: the level is fixed at the lowest, and with today's
/// flate2 it takes no message that does not end with a final block.
impl Peer for Soketto {
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender> {
        let mode = match case.role {
            Role::Server => Mode::Server,
            Role::Client => Mode::Client,
        };
        let (sender, receiver) = websocket(io.clone(), mode);
        vec![match case.action {
            Action::Receive => receive(receiver),
            Action::Send | Action::SendBatch => send(case, sender),
            Action::Echo => echo(case, sender, receiver),
            Action::Inflate | Action::Deflate => return Vec::new(),
        }]
    }

    fn serves(&self) -> Option<&'static str> {
        Some(NAME)
    }

    /// Whether more has come cannot be known without waiting for it: each answer leaves at once.
    fn serve(&self, stream: TcpStream, _: bool) {
        tokio::spawn(async move {
            let (mut sender, mut receiver) = websocket(stream.compat(), Mode::Server);
            let mut message = Vec::new();
            while receiver.receive_data(&mut message).await.is_ok() {
                let sent = sender.send_binary_mut(&mut message).await;
                if sent.is_err() || sender.flush().await.is_err() {
                    return;
                }
                message.clear();
            }
        });
    }
}

fn websocket<S>(io: S, mode: Mode) -> (Sender<Buffered<S>>, Receiver<Buffered<S>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let io = BufWriter::with_capacity(BUFFER, io);
    Builder::new(BufReader::with_capacity(BUFFER, io), mode).finish()
}

async fn next(receiver: &mut Receiver<Buffered<Memory>>, message: &mut Vec<u8>) {
    message.clear();
    // What the library leaves to the application.
    if receiver.receive_data(message).await.unwrap().is_text() {
        simdutf8::basic::from_utf8(message).unwrap();
    }
}

fn receive(mut receiver: Receiver<Buffered<Memory>>) -> Contender {
    let mut message = Vec::new();
    Contender::new(NAME, Path::Lent, move |n, seen| {
        now(async {
            for _ in 0..n {
                next(&mut receiver, &mut message).await;
                seen.message(&message);
            }
        });
    })
}

fn send(case: &Case, mut sender: Sender<Buffered<Memory>>) -> Contender {
    let (mut payloads, batch) = (Cycle::new(case), case.batch());
    Contender::new(NAME, Path::Lent, move |n, _| {
        now(async {
            for i in 1..=n {
                sender.send_binary(payloads.next()).await.unwrap();
                if i % batch == 0 || i == n {
                    sender.flush().await.unwrap();
                }
            }
        });
    })
}

fn echo(
    case: &Case,
    mut sender: Sender<Buffered<Memory>>,
    mut receiver: Receiver<Buffered<Memory>>,
) -> Contender {
    let (mut message, batch) = (Vec::new(), case.batch());
    Contender::new(NAME, Path::Lent, move |n, seen| {
        now(async {
            for i in 1..=n {
                next(&mut receiver, &mut message).await;
                seen.message(&message);
                sender.send_binary_mut(&mut message).await.unwrap();
                if i % batch == 0 || i == n {
                    sender.flush().await.unwrap();
                }
            }
        });
    })
}
