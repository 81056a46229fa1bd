//! An echo server, one thread per connection: `cargo run --release --example echo_server -- --help`.
//!
//! A browser that opens its address gets a page to try it with.

#[path = "../common/compression.rs"]
mod compression;
mod tls;

use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use compression::Compression;
use sansocket::blocking::{self, Incoming, Response, ServerHandshake, Step, Transport, WebSocket};
use sansocket::handshake::server::Acceptance;
use sansocket::handshake::{Limits, OriginAllowList, Rejection, RequestError};
use sansocket::{CloseCode, CloseFrame, Config, Event, Message, SendError, State};
use tls::Tls;

const USAGE: &str = "\
usage: echo_server [OPTIONS]

  --addr ADDRESS             where to listen (127.0.0.1:9001; port 0 picks one)
  --max-message-size BYTES   the largest message taken (16 MiB)
  --max-connections N        more are answered with 503 (1000)
  --subprotocol NAME         a subprotocol to accept; may be repeated
  --allow-origin ORIGIN      an origin to accept, all if none is given; may be repeated
  --cert FILE, --key FILE    serve wss:// with this chain of certificates and its key, in PEM
  --no-deflate               no compression (on by default, with the feature `deflate`)
  --server-max-window-bits N, --client-max-window-bits N        8 to 15 (15)
  --server-no-context-takeover, --client-no-context-takeover    forget the window per message
  --help                     print this

Ctrl-C closes every connection with 1001 first; a second one does not wait for that.
Exit status: 0 after Ctrl-C, 64 for wrong arguments, 1 if it cannot listen or read the certificate, 130 after a second Ctrl-C.
";

const PAGE: &str = include_str!("page.html");

/// How long a read or write waits before the connection looks whether the server shuts down.
const TICK: Duration = Duration::from_millis(200);

/// How long connections may take to close when the server shuts down.
const SHUTDOWN: Duration = Duration::from_secs(8);

/// Connections beyond the limit that are answered at a time; yet more are dropped.
const MAX_TURNED_AWAY: usize = 64;

struct Options {
    addr: SocketAddr,
    max_message_size: u64,
    max_connections: usize,
    subprotocols: Vec<String>,
    /// `None` accepts all.
    origins: Option<OriginAllowList>,
    compression: Compression,
    tls: tls::Files,
}

impl Options {
    fn from_args() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;

        let mut options = Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 9001)),
            max_message_size: 16 * 1024 * 1024,
            max_connections: 1000,
            subprotocols: Vec::new(),
            origins: None,
            compression: Compression::new(),
            tls: tls::Files::default(),
        };
        let mut origins = Vec::new();
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("addr") => options.addr = args.value()?.parse()?,
                Long("max-message-size") => options.max_message_size = args.value()?.parse()?,
                Long("max-connections") => options.max_connections = args.value()?.parse()?,
                Long("subprotocol") => options.subprotocols.push(args.value()?.string()?),
                Long("allow-origin") => origins.push(args.value()?.string()?),
                Short('h') | Long("help") => {
                    print!("{USAGE}");
                    exit(0);
                }
                Long(option) => {
                    let option = option.to_string();
                    let is_known = options.compression.take(&option, &mut args)?
                        || options.tls.take(&option, &mut args)?;
                    if !is_known {
                        return Err(format!("unknown option --{option}").into());
                    }
                }
                _ => return Err(arg.unexpected()),
            }
        }
        options.tls.check()?;
        if !origins.is_empty() {
            let list = OriginAllowList::new(origins.iter().map(String::as_str))
                .map_err(|error| format!("--allow-origin: {error}"))?;
            options.origins = Some(list);
        }
        Ok(options)
    }
}

struct Server {
    config: Config,
    compression: Compression,
    /// `None` for `ws://`.
    tls: Option<Tls>,
    subprotocols: Vec<String>,
    /// `None` accepts all.
    origins: Option<OriginAllowList>,
    max_connections: usize,
    connections: AtomicUsize,
    shutting_down: AtomicBool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = match Options::from_args() {
        Ok(options) => options,
        Err(error) => {
            eprint!("{error}\n{USAGE}");
            exit(64);
        }
    };
    let tls = options.tls.load()?;
    let s = if tls.is_some() { "s" } else { "" };
    let listener = TcpListener::bind(options.addr)?;
    let addr = listener.local_addr()?;
    println!("listening on ws{s}://{addr}");
    println!("try it in a browser: http{s}://{addr}/");

    let server = Arc::new(Server::new(options, tls));
    let handler = server.clone();
    ctrlc::set_handler(move || handler.shut_down())?;

    for stream in listener.incoming() {
        // An error here belongs to the one connection (reset before it was accepted), or is a lack
        // of descriptors, which others will give back.
        let Ok(stream) = stream else {
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let guard = Guard::new(&server);
        if guard.number > server.max_connections + MAX_TURNED_AWAY {
            continue;
        }
        // A thread that cannot be started drops the connection, not the server.
        let _ = thread::Builder::new().spawn(move || {
            if let Err(error) = guard.server.take(stream, guard.number) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

/// Counts a connection as long as it lives.
struct Guard {
    server: Arc<Server>,
    number: usize,
}

impl Guard {
    fn new(server: &Arc<Server>) -> Self {
        let number = server.connections.fetch_add(1, SeqCst) + 1;
        let server = server.clone();
        Self { server, number }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.server.connections.fetch_sub(1, SeqCst);
    }
}

impl Server {
    fn new(options: Options, tls: Option<Tls>) -> Self {
        let config = Config::new()
            .max_frame_size(options.max_message_size)
            .max_message_size(options.max_message_size)
            .keep_alive(Duration::from_secs(30), Duration::from_secs(20));
        Self {
            config,
            compression: options.compression,
            tls,
            subprotocols: options.subprotocols,
            origins: options.origins,
            max_connections: options.max_connections,
            connections: AtomicUsize::new(0),
            shutting_down: AtomicBool::new(false),
        }
    }

    fn take(&self, stream: TcpStream, number: usize) -> Result<(), Box<dyn Error>> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        match &self.tls {
            Some(tls) => self.serve(tls::wrap(tls, stream)?, number),
            None => self.serve(stream, number),
        }
    }

    fn serve(&self, stream: impl Transport, number: usize) -> Result<(), Box<dyn Error>> {
        match self.handshake(stream, number)? {
            Some(websocket) => self.echo(websocket),
            None => Ok(()),
        }
    }

    /// Decides on the request; `None` if it has been answered with anything but a WebSocket.
    fn handshake<S: Transport>(
        &self,
        stream: S,
        number: usize,
    ) -> Result<Option<WebSocket<S>>, Box<dyn Error>> {
        let mut handshake = ServerHandshake::new(stream, Limits::new());
        let incoming = loop {
            match handshake.proceed()? {
                Step::Done(incoming) => break incoming,
                Step::Blocked(_) if self.is_shutting_down() => return Ok(None),
                Step::Blocked(again) => handshake = again,
            }
        };
        let is_busy = number > self.max_connections || self.is_shutting_down();
        let busy = Rejection::new(503).header("Retry-After", "5");
        let pending = match incoming {
            Incoming::Request(pending) if is_busy => {
                finish(pending.reject(busy)?)?;
                return Ok(None);
            }
            Incoming::Request(pending) => pending,
            Incoming::Refused(pending) if is_busy => {
                finish(pending.respond_with(busy)?)?;
                return Ok(None);
            }
            Incoming::Refused(pending) => {
                let refusal = pending.refusal();
                let target = refusal.head().map(|head| head.target());
                match refusal.error() {
                    RequestError::NotAnUpgrade if target == Some("/") => {
                        let page = Rejection::new(200).body("text/html; charset=utf-8", PAGE);
                        finish(pending.respond_with(page)?)?;
                    }
                    _ => finish(pending.answer()?)?,
                }
                return Ok(None);
            }
        };
        let request = pending.request();
        if self
            .origins
            .as_ref()
            .is_some_and(|origins| !origins.allows(request.origin()))
        {
            let rejection = Rejection::new(403).body("text/plain", "this origin is not allowed\n");
            finish(pending.reject(rejection)?)?;
            return Ok(None);
        }
        let supported: Vec<_> = self.subprotocols.iter().map(String::as_str).collect();
        let mut acceptance = self.compression.accept(Acceptance::new());
        if let Some(subprotocol) = request.select_subprotocol(&supported) {
            acceptance = acceptance.subprotocol(subprotocol);
        }
        Ok(Some(pending.accept(acceptance, self.config.clone())?))
    }

    fn echo(&self, mut websocket: WebSocket<impl Transport>) -> Result<(), Box<dyn Error>> {
        // An answer that waits until the client has read enough of those before it.
        let mut waiting: Option<Message> = None;
        loop {
            if self.is_shutting_down() && websocket.connection().state() == State::Open {
                waiting = None;
                websocket.close(CloseFrame::new(
                    CloseCode::GOING_AWAY,
                    "the server shuts down",
                ))?;
            }
            if let Some(message) = waiting.take() {
                match websocket.send(message) {
                    Err(blocking::Error::Send(SendError::Full(message))) => {
                        waiting = Some(message);
                        continue;
                    }
                    // No answers any more once the connection closes.
                    Ok(()) | Err(blocking::Error::Send(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let (event, connection) = match websocket.recv_with_connection() {
                Ok(Some(received)) => received,
                Ok(None) => return Ok(()),
                Err(error) if error.is_blocked() => continue,
                // A client may do what it likes: that ends its connection, not the server.
                Err(error) => return Err(error.into()),
            };
            // Answers collect on the connection and leave together, when nothing more has come.
            waiting = match event {
                Event::Text(text) => match connection.send_text(&text) {
                    Err(SendError::Full(())) => Some(text.into_string().into()),
                    _ => None,
                },
                Event::Binary(data) => match connection.send_binary(&data) {
                    Err(SendError::Full(())) => Some(data.into_bytes().into()),
                    _ => None,
                },
                _ => None,
            };
        }
    }

    fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(SeqCst)
    }

    /// Lets every connection close with 1001, then ends the process.
    fn shut_down(&self) {
        if self.shutting_down.swap(true, SeqCst) {
            exit(130);
        }
        let start = Instant::now();
        while self.connections.load(SeqCst) > 0 && start.elapsed() < SHUTDOWN {
            thread::sleep(Duration::from_millis(10));
        }
        exit(0);
    }
}

/// Waits until a response has left and the client has ended the stream, or its time is over.
fn finish(mut step: Step<(), Response<impl Transport>>) -> io::Result<()> {
    while let Step::Blocked(response) = step {
        step = response.proceed()?;
    }
    Ok(())
}
