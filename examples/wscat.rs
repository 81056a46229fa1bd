//! Talks to a WebSocket server from the command line:
//! `cargo run --release --example wscat -- --help`.

#[path = "common/compression.rs"]
mod compression;
#[path = "common/tls.rs"]
mod tls;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use compression::Compression;
use sansocket::blocking::{
    ConnectError, Connector, Error as WebSocketError, MaybeTlsStream, WebSocket,
};
use sansocket::handshake::client::Request;
use sansocket::handshake::{Limits, ResponseError, UriError, WsUri};
use sansocket::{CloseCode, CloseOutcome, Config, Event, Message, SendError, State};
use tls::Trust;

const USAGE: &str = "\
usage: wscat URL [OPTIONS]

  --send TEXT                send this text instead of stdin's lines; may be repeated
  --count N                  close after N messages
  --subprotocol NAME         offer a subprotocol; may be repeated
  --header 'NAME: VALUE'     add a header to the request; may be repeated
  --origin ORIGIN            send an origin
  --max-message-size BYTES   the largest message taken (16 MiB)
  --timeout SECONDS          for connecting, and again for the handshake (10)
  --ping-interval SECONDS    ping after so much silence; the server has 10 seconds to answer
  -v, --verbose              tell of the handshake, each message, pings and round trips, on stderr
  --ca FILE                  trust the certificates in this PEM file alone, for wss://
  --insecure                 trust any certificate, for wss:// to a server under test
  --no-deflate               no compression (on by default, with the feature `deflate`)
  --server-max-window-bits N, --client-max-window-bits N        8 to 15 (15)
  --server-no-context-takeover, --client-no-context-takeover    forget the window per message
  --help                     print this

Each message received goes to stdout, binary ones as hex; everything else goes to stderr. It stays
until the server closes; it closes itself after --count messages, or when stdin has ended and as
many messages have come as were sent. A line that is not UTF-8 is no text: it is reported and left
out.

Exit status: 0 after a closing handshake, 1 when the server refused the opening handshake, 2 on a
protocol error, 3 on an I/O error or an end without a closing handshake, 64 for wrong arguments.
";

/// How long a read or write waits before the other, and stdin, are looked at.
const TICK: Duration = Duration::from_millis(20);

/// Lines are taken until so many bytes wait for the server to read.
const AHEAD: usize = 256 * 1024;

/// How long a server may take to answer a ping.
const PONG: Duration = Duration::from_secs(10);

/// At the end of stdin, how long a server that owes us answers may keep silent.
const PATIENCE: Duration = Duration::from_secs(2);

struct Options {
    request: Request,
    send: Vec<String>,
    count: Option<u64>,
    max_message_size: u64,
    timeout: Duration,
    ping_interval: Option<Duration>,
    verbose: bool,
    trust: Trust,
}

fn main() -> ExitCode {
    let options = match Options::from_args() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("{error}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(exit_status(error.as_ref()))
        }
    }
}

fn exit_status(error: &(dyn Error + 'static)) -> u8 {
    if let Some(ConnectError::Response(error)) = error.downcast_ref() {
        return match error {
            ResponseError::Refused(_) => 1,
            ResponseError::TimedOut => 3,
            _ => 2,
        };
    }
    match error.downcast_ref() {
        Some(WebSocketError::Protocol(_)) => 2,
        _ => 3,
    }
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let mut websocket = connect(&options)?;
    let lines = if options.send.is_empty() {
        read_lines()
    } else {
        let (sender, lines) = sync_channel(options.send.len());
        for text in options.send {
            sender.send(Line::Text(text))?;
        }
        lines
    };
    talk(&mut websocket, &lines, options.count, options.verbose)?;
    match websocket.connection().outcome() {
        Some(CloseOutcome::Clean(_)) | None => Ok(()),
        Some(outcome) => Err(WebSocketError::Ended(outcome.clone()).into()),
    }
}

fn connect(options: &Options) -> Result<WebSocket<MaybeTlsStream>, Box<dyn Error>> {
    let mut config = Config::new()
        .max_frame_size(options.max_message_size)
        .max_message_size(options.max_message_size);
    if let Some(interval) = options.ping_interval {
        config = config.keep_alive(interval, PONG);
    }
    let connector = Connector::new()
        .config(config)
        .connect_timeout(options.timeout);
    let connector = options.trust.apply(connector)?;
    let connected = connector.connect(options.request.clone());
    let (websocket, response) = connected.inspect_err(|error| {
        if let ConnectError::Response(ResponseError::Refused(refused)) = error {
            eprintln!("{} {}", refused.status(), refused.reason());
            eprintln!("{}", String::from_utf8_lossy(refused.body()));
        }
    })?;
    if options.verbose {
        eprintln!("> GET {}", options.request.uri());
        for (name, value) in response.headers() {
            eprintln!("< {name}: {}", String::from_utf8_lossy(value));
        }
    }
    match response.subprotocol() {
        Some(subprotocol) => eprintln!("connected, subprotocol {subprotocol}"),
        None => eprintln!("connected"),
    }
    websocket.stream().get_ref().set_read_timeout(Some(TICK))?;
    websocket.stream().get_ref().set_write_timeout(Some(TICK))?;
    Ok(websocket)
}

enum Line {
    Text(String),
    End,
    Failed(io::Error),
}

/// The lines of stdin, read on a thread of their own, not much faster than they are sent.
fn read_lines() -> Receiver<Line> {
    let (sender, lines) = sync_channel(1024);
    thread::spawn(move || {
        for (number, line) in (1_u64..).zip(io::stdin().lock().split(b'\n')) {
            let line = match line.map(String::from_utf8) {
                Ok(Ok(mut line)) => {
                    if line.ends_with('\r') {
                        line.pop();
                    }
                    Line::Text(line)
                }
                Ok(Err(_)) => {
                    eprintln!("line {number} of stdin is not UTF-8: left out");
                    continue;
                }
                Err(error) => Line::Failed(error),
            };
            if sender.send(line).is_err() {
                return;
            }
        }
        let _ = sender.send(Line::End);
    });
    lines
}

/// Sends the lines and prints the messages until the connection has ended.
fn talk(
    websocket: &mut WebSocket<MaybeTlsStream>,
    lines: &Receiver<Line>,
    count: Option<u64>,
    verbose: bool,
) -> Result<(), Box<dyn Error>> {
    let tell = |what: &dyn std::fmt::Display| {
        if verbose {
            eprintln!("{what}");
        }
    };
    let mut round_trip = None;
    let mut stdout = io::stdout().lock();
    let (mut sent, mut received) = (0, 0);
    let mut input_ended = false;
    // A line that waits until the server has read enough of those before it.
    let mut waiting = None;
    let mut last_heard = Instant::now();
    loop {
        let enough = count.is_some_and(|count| received >= count);
        while !enough && !input_ended && websocket.connection().can_send() {
            let queued = websocket.connection().queued();
            if queued > AHEAD || waiting.is_some() && queued > 0 {
                break;
            }
            let line = match waiting.take().map_or_else(|| lines.try_recv(), Ok) {
                Ok(Line::Text(line)) => line,
                Ok(Line::End) => {
                    input_ended = true;
                    break;
                }
                Ok(Line::Failed(error)) => return Err(error.into()),
                // What was given by --send has been sent: the server decides when to close.
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            };
            let size = line.len();
            match websocket.feed(line) {
                Ok(()) => {
                    tell(&format_args!("> text, {size} bytes"));
                    sent += 1;
                    last_heard = Instant::now();
                }
                Err(WebSocketError::Send(SendError::Full(Message::Text(line)))) => {
                    waiting = Some(Line::Text(line));
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if websocket.connection().state() == State::Open {
            let answered = received >= sent || last_heard.elapsed() > PATIENCE;
            // Closing has a deadline, which is not for the lines that still wait.
            let all_sent = input_ended && !websocket.wants_write();
            if enough || all_sent && answered && count.is_none() {
                websocket.close(CloseCode::NORMAL)?;
            }
        }
        let measured = websocket.connection().round_trip();
        if let Some(time) = measured.filter(|_| measured != round_trip) {
            tell(&format_args!("round trip {time:?}"));
            round_trip = measured;
        }
        match websocket.recv_event() {
            Ok(Some(event)) => {
                let line = match event {
                    Event::Text(text) => {
                        tell(&format_args!("< text, {} bytes", text.len()));
                        text.into_string()
                    }
                    Event::Binary(data) => {
                        tell(&format_args!("< binary, {} bytes", data.len()));
                        to_hex(&data)
                    }
                    Event::Ping(payload) => {
                        tell(&format_args!("< ping, {} bytes", payload.len()));
                        continue;
                    }
                    Event::Pong(payload) => {
                        tell(&format_args!("< pong, {} bytes", payload.len()));
                        continue;
                    }
                    Event::Close(Some(frame)) => {
                        eprintln!("closed: {frame}");
                        continue;
                    }
                    _ => continue,
                };
                received += 1;
                last_heard = Instant::now();
                if count.is_none_or(|count| received <= count) {
                    writeln!(stdout, "{line}")?;
                    stdout.flush()?;
                }
            }
            Ok(None) => return Ok(()),
            Err(error) if error.is_blocked() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn to_hex(data: &[u8]) -> String {
    let mut hex = String::with_capacity(data.len() * 2);
    for byte in data {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

impl Options {
    /// `None` if only help is asked for.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::*;

        let mut url = None;
        let (mut send, mut count) = (Vec::new(), None);
        let (mut subprotocols, mut headers, mut origin) = (Vec::new(), Vec::new(), None);
        let mut max_message_size = 16 * 1024 * 1024;
        let mut timeout = Duration::from_secs(10);
        let (mut ping_interval, mut verbose) = (None, false);
        let mut compression = Compression::new();
        let mut trust = Trust::default();
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("send") => send.push(args.value()?.string()?),
                Long("count") => count = Some(args.value()?.parse()?),
                Long("subprotocol") => subprotocols.push(args.value()?.string()?),
                Long("header") => headers.push(args.value()?.string()?),
                Long("ping-interval") => {
                    let seconds = Duration::from_secs(args.value()?.parse()?);
                    if seconds.is_zero() {
                        return Err("--ping-interval is at least 1".into());
                    }
                    ping_interval = Some(seconds);
                }
                Short('v') | Long("verbose") => verbose = true,
                Long("origin") => origin = Some(args.value()?.string()?),
                Long("max-message-size") => max_message_size = args.value()?.parse()?,
                Long("timeout") => {
                    let seconds = args.value()?.parse_with(|seconds| seconds.parse())?;
                    timeout =
                        Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
                }
                Short('h') | Long("help") => return Ok(None),
                Long(option) => {
                    let option = option.to_string();
                    if !compression.take(&option, &mut args)? && !trust.take(&option, &mut args)? {
                        return Err(format!("unknown option --{option}").into());
                    }
                }
                Value(value) if url.is_none() => url = Some(value.string()?),
                _ => return Err(arg.unexpected()),
            }
        }

        let uri: WsUri = url
            .ok_or("a URL is missing")?
            .parse()
            .map_err(|error: UriError| error.to_string())?;
        if uri.is_secure() && !cfg!(feature = "rustls") {
            return Err(ConnectError::Secure.to_string().into());
        }
        let mut request = Request::new(uri).limits(Limits::new().timeout(Some(timeout)));
        for subprotocol in subprotocols {
            request = request.subprotocol(subprotocol);
        }
        for header in &headers {
            let (name, value) = header.split_once(':').ok_or("a header is NAME: VALUE")?;
            request = request.header(name, value.trim());
        }
        if let Some(origin) = origin {
            request = request.origin(origin);
        }
        request = compression.offer(request);
        // What is wrong with a header, a subprotocol or the origin shows before connecting.
        let started = request.clone().start([0; 16]);
        started.map_err(|error| error.to_string())?;
        Ok(Some(Self {
            request,
            send,
            count,
            max_message_size,
            timeout,
            ping_interval,
            verbose,
            trust,
        }))
    }
}
