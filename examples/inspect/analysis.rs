//! Tells what passed in one conversation, and what went wrong in it.

use std::io::{self, Write};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sansocket::handshake::{Limits, RequestError, ResponseError, client, server};
use sansocket::{CloseFrame, DeflateConfig, DeflateParams, ReceiveBuffer};

use super::capture::{Conversation, Piece, Side, What};
use super::reader::{Reader, Seen};

/// Silence of this length and more before an end is likely the reason for it.
const SILENCE: Duration = Duration::from_secs(10);

enum Opening {
    /// The client's request is not complete.
    Request(ReceiveBuffer, server::Handshake),
    Response(ReceiveBuffer, Box<client::Handshake>),
    Open,
    Failed,
}

pub(crate) struct Analysis<W> {
    out: W,
    opening: Opening,
    readers: [Reader; 2],
    /// What a client has sent behind its request, before the response.
    early: Vec<u8>,
    pings: [Option<(Option<Duration>, Vec<u8>)>; 2],
    round_trips: Vec<Duration>,
    closed: Option<(Side, Option<CloseFrame>)>,
    last: Option<Duration>,
    has_ended: bool,
    problems: Vec<String>,
}

/// Prints it; gives whether nothing went wrong.
pub(crate) fn analyse(conversation: &Conversation, out: impl Write) -> io::Result<bool> {
    let mut analysis = Analysis {
        out,
        opening: Opening::Request(ReceiveBuffer::new(), server::Handshake::new(Limits::new())),
        readers: [
            Reader::new(Side::Client, None),
            Reader::new(Side::Server, None),
        ],
        early: Vec::new(),
        pings: [None, None],
        round_trips: Vec::new(),
        closed: None,
        last: None,
        has_ended: false,
        problems: Vec::new(),
    };
    writeln!(analysis.out, "# {}", conversation.name)?;
    for piece in &conversation.pieces {
        analysis.piece(piece)?;
    }
    analysis.finish()
}

impl<W: Write> Analysis<W> {
    fn line(&mut self, time: Option<Duration>, side: Side, text: &str) -> io::Result<()> {
        match time {
            Some(time) => writeln!(self.out, "{:10.6} {side}  {text}", time.as_secs_f64()),
            None => writeln!(self.out, "{side}  {text}"),
        }
    }

    fn piece(&mut self, piece: &Piece) -> io::Result<()> {
        let &Piece {
            time,
            side,
            ref what,
        } = piece;
        match what {
            What::Bytes(bytes) => {
                self.bytes(time, side, bytes)?;
                self.last = time;
                return Ok(());
            }
            What::Gap => self.problems.push(format!(
                "bytes of the {side} are missing in the capture: nothing behind them can be read"
            )),
            What::End | What::Reset => {
                let how = match what {
                    What::End => "ends its direction (FIN)",
                    _ => "resets the connection (RST)",
                };
                self.line(time, side, how)?;
                if !self.has_ended && matches!(self.opening, Opening::Open) {
                    self.ended(time, side, how);
                }
                self.has_ended = true;
            }
        }
        Ok(())
    }

    /// Whether the end came in good order.
    fn ended(&mut self, time: Option<Duration>, side: Side, how: &str) {
        if self.closed.is_some() {
            return;
        }
        let mut problem = format!("the {side} {how} without a Close frame: the other sees 1006");
        if let (Some(now), Some(last)) = (time, self.last) {
            let silence = now.saturating_sub(last);
            if silence >= SILENCE {
                problem += &format!(
                    "; that was after {:.1} s of silence: a time-out, perhaps of a proxy between the \
                     two, which keep-alive pings at a shorter interval prevent",
                    silence.as_secs_f64()
                );
            }
        }
        self.problems.push(problem);
    }

    fn bytes(&mut self, time: Option<Duration>, side: Side, bytes: &[u8]) -> io::Result<()> {
        let opening = std::mem::replace(&mut self.opening, Opening::Failed);
        match (opening, side) {
            (Opening::Request(mut rx, handshake), Side::Client) => {
                rx.extend_from_slice(bytes);
                self.request(time, rx, handshake, bytes)
            }
            (Opening::Response(mut rx, handshake), Side::Server) => {
                rx.extend_from_slice(bytes);
                self.response(time, rx, *handshake, bytes)
            }
            // Frames may follow the request at once; a server's come only behind its response.
            (opening @ Opening::Response(..), Side::Client) => {
                self.opening = opening;
                self.early.extend_from_slice(bytes);
                Ok(())
            }
            (opening @ Opening::Request(..), Side::Server) => {
                self.problems
                    .push("the server sends before the client has asked".to_owned());
                self.opening = opening;
                Ok(())
            }
            (Opening::Open, _) => {
                self.opening = Opening::Open;
                self.frames(time, side, bytes)
            }
            (Opening::Failed, _) => Ok(()),
        }
    }

    fn request(
        &mut self,
        time: Option<Duration>,
        mut rx: ReceiveBuffer,
        handshake: server::Handshake,
        bytes: &[u8],
    ) -> io::Result<()> {
        match handshake.receive(&mut rx) {
            server::Progress::Incomplete(handshake) => {
                self.opening = Opening::Request(rx, handshake);
            }
            server::Progress::Request(request) => {
                self.line(
                    time,
                    Side::Client,
                    &format!("GET {}", request.resource_name()),
                )?;
                for (name, value) in request.headers() {
                    let value = String::from_utf8_lossy(value);
                    self.line(time, Side::Client, &format!("  {name}: {value}"))?;
                }
                match ask_again(&request) {
                    Some(asked) => {
                        self.early.extend_from_slice(behind(&rx, bytes));
                        self.opening = Opening::Response(ReceiveBuffer::new(), Box::new(asked));
                    }
                    None => self
                        .problems
                        .push("the request cannot be checked".to_owned()),
                }
            }
            server::Progress::Refused(refusal) => {
                if let Some(head) = refusal.head() {
                    let line = format!("{} {}", head.method(), head.target());
                    self.line(time, Side::Client, &line)?;
                }
                let error = refusal.error();
                let mut problem = format!("the client's request is none for a WebSocket: {error}");
                if matches!(
                    error,
                    RequestError::NotAnUpgrade | RequestError::ConnectionHeader
                ) {
                    problem +=
                        "; a proxy that passes it on without `Upgrade` and `Connection` does that";
                }
                self.problems.push(problem);
            }
        }
        Ok(())
    }

    fn response(
        &mut self,
        time: Option<Duration>,
        mut rx: ReceiveBuffer,
        handshake: client::Handshake,
        bytes: &[u8],
    ) -> io::Result<()> {
        match handshake.receive(&mut rx) {
            client::Progress::Incomplete(handshake) => {
                self.opening = Opening::Response(rx, Box::new(handshake));
            }
            client::Progress::Response(response) => {
                self.line(time, Side::Server, "101: the WebSocket is open")?;
                for (name, value) in response.headers() {
                    let value = String::from_utf8_lossy(value);
                    self.line(time, Side::Server, &format!("  {name}: {value}"))?;
                }
                let deflate = agreed(&response);
                self.readers = [Side::Client, Side::Server].map(|side| Reader::new(side, deflate));
                self.opening = Opening::Open;
                let early = std::mem::take(&mut self.early);
                self.frames(time, Side::Client, &early)?;
                self.frames(time, Side::Server, behind(&rx, bytes))?;
            }
            client::Progress::Failed(error) => {
                let mut problem = format!("there is no WebSocket: {error}");
                if let ResponseError::Refused(refused) = &error {
                    let line = format!("{} {}", refused.status(), refused.reason());
                    self.line(time, Side::Server, &line)?;
                    if matches!(refused.status(), 200 | 400 | 426) {
                        problem +=
                            "; so answers a server, too, that a proxy asks without `Upgrade`";
                    }
                }
                self.problems.push(problem);
            }
        }
        Ok(())
    }

    fn frames(&mut self, time: Option<Duration>, side: Side, bytes: &[u8]) -> io::Result<()> {
        let mut all = Vec::new();
        self.readers[side as usize].receive(bytes, &mut all);
        for seen in all {
            match seen {
                Seen::Frame(text) => self.line(time, side, &text)?,
                Seen::Message(text) => self.line(time, side, &format!("  {text}"))?,
                Seen::Ping(payload) => self.pings[side as usize] = Some((time, payload)),
                Seen::Pong(payload) => self.pong(time, side, &payload)?,
                Seen::Close(frame) => {
                    let text = frame
                        .as_ref()
                        .map_or("no code".to_owned(), ToString::to_string);
                    self.line(time, side, &format!("  closes: {text}"))?;
                    self.closed.get_or_insert((side, frame));
                }
                Seen::Broke(error) => {
                    let code = error.close_code();
                    self.line(time, side, &format!("  breaks the protocol: {error}"))?;
                    self.problems.push(format!(
                        "the {side} broke the protocol: {error}; the other closes with {code}"
                    ));
                }
            }
        }
        Ok(())
    }

    fn pong(&mut self, time: Option<Duration>, side: Side, payload: &[u8]) -> io::Result<()> {
        let ping = &mut self.pings[side.other() as usize];
        if let Some((asked, _)) = ping.take_if(|(_, asked)| asked == payload) {
            if let (Some(asked), Some(time)) = (asked, time) {
                let trip = time.saturating_sub(asked);
                self.round_trips.push(trip);
                return self.line(
                    Some(time),
                    side,
                    &format!("  answers a ping after {trip:?}"),
                );
            }
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<bool> {
        match &self.opening {
            Opening::Request(..) => self
                .problems
                .push("the client's request is not complete".into()),
            Opening::Response(..) => self
                .problems
                .push("the server does not answer the request".into()),
            Opening::Open | Opening::Failed => {}
        }
        for side in [Side::Client, Side::Server] {
            let reader = &self.readers[side as usize];
            let (full, wire) = reader.sizes;
            let mut line = format!("{side}: {} messages", reader.messages);
            if wire > 0 {
                let percent = wire as f64 / full.max(1) as f64 * 100.0;
                line += &format!(", compressed from {full} bytes to {wire} ({percent:.0} %)");
            }
            if let Some(amid) = reader
                .amid()
                .filter(|_| !reader.has_failed && !reader.has_closed)
            {
                self.problems
                    .push(format!("the bytes of the {side} end {amid}"));
            }
            writeln!(self.out, "{line}")?;
            if self.pings[side as usize].is_some() {
                self.problems
                    .push(format!("a ping of the {side} was not answered"));
            }
        }
        if let (Some(least), Some(most)) =
            (self.round_trips.iter().min(), self.round_trips.iter().max())
        {
            writeln!(self.out, "round trips of pings: {least:?} to {most:?}")?;
        }
        if let Some((side, frame)) = &self.closed {
            let text = frame
                .as_ref()
                .map_or("no code (1005)".to_owned(), ToString::to_string);
            writeln!(self.out, "closed by the {side}: {text}")?;
        } else if matches!(self.opening, Opening::Open)
            && !self.has_ended
            && self.problems.is_empty()
        {
            writeln!(self.out, "still open at the end of the capture")?;
        }
        for problem in &self.problems {
            writeln!(self.out, "problem: {problem}")?;
        }
        if self.problems.is_empty() {
            writeln!(self.out, "nothing is wrong")?;
        }
        Ok(self.problems.is_empty())
    }
}

/// The handshake of the client that sent this request.
fn ask_again(request: &server::Request) -> Option<client::Handshake> {
    let key = request.headers().get("Sec-WebSocket-Key")?;
    let nonce = STANDARD.decode(key).ok()?.try_into().ok()?;
    let uri = format!("ws://{}{}", request.host(), request.resource_name());
    let mut again = client::Request::new(uri.parse().ok()?);
    for name in request.subprotocols() {
        again = again.subprotocol(name);
    }
    for extension in request.extensions() {
        again = again.extension(extension.clone());
    }
    again.start(nonce).ok()
}

fn agreed(response: &client::Response) -> Option<DeflateParams> {
    (response.extensions().iter()).find_map(|answer| DeflateConfig::new().confirm(answer))
}

/// What of these bytes, the last that came, is behind the head.
fn behind<'a>(rx: &ReceiveBuffer, bytes: &'a [u8]) -> &'a [u8] {
    bytes
        .len()
        .checked_sub(rx.len())
        .and_then(|at| bytes.get(at..))
        .unwrap_or_default()
}
