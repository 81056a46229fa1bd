//! Talks to a WebSocket server from the command line.
//!
//! ```text
//! cargo run --release --example wscat -- URL [OPTIONS]
//!
//!   --send TEXT                send this text instead of stdin's lines; may be repeated
//!   --count N                  close after N messages
//!   --subprotocol NAME         offer a subprotocol; may be repeated
//!   --header 'NAME: VALUE'     add a header to the request; may be repeated
//!   --origin ORIGIN            send an origin
//!   --max-message-size BYTES   the largest message taken (16 MiB)
//!   --timeout SECONDS          for connecting, and again for the handshake (10)
//!   --no-deflate               no compression (on by default, with the feature `deflate`)
//!   --server-max-window-bits N, --client-max-window-bits N        8 to 15 (15)
//!   --server-no-context-takeover, --client-no-context-takeover    forget the window per message
//! ```
//!
//! Each message received goes to stdout, binary ones as hex; everything else goes to stderr. It
//! stays until the server closes; it closes itself after `--count` messages, or when stdin has ended
//! and as many messages have come as were sent.
//!
//! Exit status: 0 after a closing handshake, 1 when the server refused the opening handshake, 2 on a
//! protocol error, 3 on an I/O error or an end without a closing handshake.

#[path = "common/compression.rs"]
mod compression;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use compression::Compression;
use sansocket::blocking::{ConnectError, Connector, Error as WebSocketError, WebSocket};
use sansocket::handshake::client::Request;
use sansocket::handshake::{Limits, ResponseError};
use sansocket::{CloseCode, CloseOutcome, Config, Event, State};

/// How long a read waits before stdin is looked at.
const TICK: Duration = Duration::from_millis(20);

/// At the end of stdin, how long a server that owes us answers may keep silent.
const PATIENCE: Duration = Duration::from_secs(2);

struct Options {
    url: String,
    send: Vec<String>,
    count: Option<u64>,
    subprotocols: Vec<String>,
    headers: Vec<(String, String)>,
    origin: Option<String>,
    max_message_size: u64,
    timeout: Duration,
    compression: Compression,
}

fn main() -> ExitCode {
    let options = match Options::from_args() {
        Ok(options) => options,
        Err(error) => {
            eprintln!(
                "{error}\nTry: wscat URL [--send TEXT]... [--count N] [--subprotocol NAME]... [--header 'NAME: VALUE']... [--origin ORIGIN] [--max-message-size BYTES] [--timeout SECONDS] [--no-deflate] [--server-max-window-bits N] [--client-max-window-bits N] [--server-no-context-takeover] [--client-no-context-takeover]"
            );
            return ExitCode::from(64);
        }
    };
    match run(&options) {
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

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut websocket = connect(options)?;
    let lines = if options.send.is_empty() {
        read_lines()
    } else {
        let (sender, lines) = sync_channel(options.send.len() + 1);
        for text in &options.send {
            sender.send(Line::Text(text.clone()))?;
        }
        lines
    };
    talk(&mut websocket, &lines, options.count)?;
    match websocket.connection().outcome() {
        Some(CloseOutcome::Clean(_)) | None => Ok(()),
        Some(outcome) => Err(WebSocketError::Ended(outcome.clone()).into()),
    }
}

fn connect(options: &Options) -> Result<WebSocket<TcpStream>, Box<dyn Error>> {
    let limits = Limits::new().timeout(Some(options.timeout));
    let mut request = Request::new(options.url.parse().map_err(ConnectError::Uri)?).limits(limits);
    for subprotocol in &options.subprotocols {
        request = request.subprotocol(subprotocol);
    }
    for (name, value) in &options.headers {
        request = request.header(name, value);
    }
    if let Some(origin) = &options.origin {
        request = request.origin(origin);
    }
    request = options.compression.offer(request);
    let config = Config::new()
        .max_frame_size(options.max_message_size)
        .max_message_size(options.max_message_size);
    let connector = Connector::new()
        .config(config)
        .connect_timeout(options.timeout);
    let (websocket, response) = connector.connect(request).inspect_err(|error| {
        if let ConnectError::Response(ResponseError::Refused(refused)) = error {
            eprintln!("{} {}", refused.status(), refused.reason());
            eprintln!("{}", String::from_utf8_lossy(refused.body()));
        }
    })?;
    match response.subprotocol() {
        Some(subprotocol) => eprintln!("connected, subprotocol {subprotocol}"),
        None => eprintln!("connected"),
    }
    websocket.stream().set_read_timeout(Some(TICK))?;
    Ok(websocket)
}

enum Line {
    Text(String),
    End,
}

fn read_lines() -> Receiver<Line> {
    let (sender, lines) = sync_channel(64);
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(Line::Text(line)).is_err() {
                return;
            }
        }
        let _ = sender.send(Line::End);
    });
    lines
}

/// Sends the lines and prints the messages until the connection has ended.
fn talk(
    websocket: &mut WebSocket<TcpStream>,
    lines: &Receiver<Line>,
    count: Option<u64>,
) -> Result<(), Box<dyn Error>> {
    let mut stdout = io::stdout().lock();
    let (mut sent, mut received) = (0, 0);
    let mut input_ended = false;
    let mut last_heard = Instant::now();
    loop {
        let is_open = websocket.connection().state() == State::Open;
        while is_open && !input_ended {
            match lines.try_recv() {
                Ok(Line::Text(line)) => {
                    websocket.send(line)?;
                    sent += 1;
                    last_heard = Instant::now();
                }
                Ok(Line::End) => input_ended = true,
                // What was given by --send has been sent: the server decides when to close.
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        let answered = received >= sent || last_heard.elapsed() > PATIENCE;
        let enough = count.is_some_and(|count| received >= count);
        if is_open && (enough || input_ended && answered && count.is_none()) {
            websocket.close(CloseCode::NORMAL)?;
        }
        match websocket.receive() {
            Ok(Some(event)) => {
                let line = match event {
                    Event::Text(text) => text.into_string(),
                    Event::Binary(data) => to_hex(&data),
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
    fn from_args() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;

        let mut url = None;
        let mut options = Self {
            url: String::new(),
            send: Vec::new(),
            count: None,
            subprotocols: Vec::new(),
            headers: Vec::new(),
            origin: None,
            max_message_size: 16 * 1024 * 1024,
            timeout: Duration::from_secs(10),
            compression: Compression::new(),
        };
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("send") => options.send.push(args.value()?.string()?),
                Long("count") => options.count = Some(args.value()?.parse()?),
                Long("subprotocol") => options.subprotocols.push(args.value()?.string()?),
                Long("header") => {
                    let header = args.value()?.string()?;
                    let (name, value) = header.split_once(':').ok_or("a header is NAME: VALUE")?;
                    options.headers.push((name.into(), value.trim().into()));
                }
                Long("origin") => options.origin = Some(args.value()?.string()?),
                Long("max-message-size") => options.max_message_size = args.value()?.parse()?,
                Long("timeout") => {
                    let seconds = args.value()?.parse_with(|seconds| seconds.parse())?;
                    options.timeout =
                        Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
                }
                Long(option) => {
                    let option = option.to_string();
                    if !options.compression.take(&option, &mut args)? {
                        return Err(format!("unknown option --{option}").into());
                    }
                }
                Value(value) if url.is_none() => url = Some(value.string()?),
                _ => return Err(arg.unexpected()),
            }
        }
        options.url = url.ok_or("a URL is missing")?;
        Ok(options)
    }
}
