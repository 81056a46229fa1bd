//! An echo server: `cargo run --release --example echo_server -- --help`.
//!
//! The same one through each adapter: `on_std.rs`, `on_tokio.rs`, `on_futures_io.rs`.
//!
//! A browser that opens its address gets a page to try it with.

#[path = "../common/compression.rs"]
mod compression;

#[cfg(any(feature = "tokio", feature = "futures-io"))]
mod connection;
#[cfg(feature = "futures-io")]
mod on_futures_io;
mod on_std;
#[cfg(feature = "tokio")]
mod on_tokio;
mod server;
mod shutdown;
mod tls;

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::process::exit;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use compression::Compression;
use sansocket::handshake::OriginAllowList;

use server::Server;

const USAGE: &str = "\
usage: echo_server [OPTIONS]

  --addr ADDRESS             where to listen (127.0.0.1:9001; port 0 picks one)
  --adapter NAME             std (the default: a thread for each connection), tokio or futures-io,
                             each with the feature of its name
  --cert FILE, --key FILE    serve wss:// with this chain of certificates and its key, in PEM (std,
                             tokio)
  --max-message-size BYTES   the largest message taken (16 MiB)
  --max-connections N        more are answered with 503 (1000)
  --handshake-timeout S      how many seconds a request may take (10)
  --ping-interval S          ask an idle client for a sign of life every S seconds (30)
  --ping-timeout S           how long it may take to give one (20)
  --subprotocol NAME         a subprotocol to accept; may be repeated
  --allow-origin ORIGIN      an origin to accept, all if none is given; may be repeated
  --no-deflate               no compression (on by default, with the feature `deflate`)
  --server-max-window-bits N, --client-max-window-bits N        8 to 15 (15)
  --server-no-context-takeover, --client-no-context-takeover    forget the window per message
  --help                     print this

Ctrl-C, or SIGTERM, closes every connection with 1001 first; a second one does not wait for that.
Exit status: 0 after Ctrl-C, 64 for wrong arguments, 1 if it cannot listen or read
the certificate, 130 after a second Ctrl-C.
";

struct Options {
    addr: SocketAddr,
    adapter: Adapter,
    max_message_size: u64,
    max_connections: usize,
    handshake_timeout: Duration,
    ping_interval: Duration,
    ping_timeout: Duration,
    subprotocols: Vec<String>,
    /// `None` accepts all.
    origins: Option<OriginAllowList>,
    compression: Compression,
    tls: tls::Files,
}

/// What carries the connections.
#[derive(Clone, Copy)]
enum Adapter {
    Std,
    #[cfg(feature = "tokio")]
    Tokio,
    #[cfg(feature = "futures-io")]
    FuturesIo,
}

impl FromStr for Adapter {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "std" => Ok(Self::Std),
            #[cfg(feature = "tokio")]
            "tokio" => Ok(Self::Tokio),
            #[cfg(feature = "futures-io")]
            "futures-io" => Ok(Self::FuturesIo),
            #[allow(unreachable_patterns)] // with both features
            "tokio" | "futures-io" => Err(format!(
                "this echo_server has no {name}: build it with `--features {name}`"
            )),
            _ => Err("adapters are std, tokio and futures-io".into()),
        }
    }
}

impl Options {
    fn from_args() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;

        let mut options = Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 9001)),
            adapter: Adapter::Std,
            max_message_size: 16 * 1024 * 1024,
            max_connections: 1000,
            handshake_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(20),
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
                Long("adapter") => options.adapter = args.value()?.parse()?,
                Long("max-message-size") => options.max_message_size = args.value()?.parse()?,
                Long("max-connections") => options.max_connections = args.value()?.parse()?,
                Long("handshake-timeout") => options.handshake_timeout = seconds(&mut args)?,
                Long("ping-interval") => options.ping_interval = seconds(&mut args)?,
                Long("ping-timeout") => options.ping_timeout = seconds(&mut args)?,
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

fn seconds(args: &mut lexopt::Parser) -> Result<Duration, lexopt::Error> {
    use lexopt::ValueExt;

    Ok(Duration::from_secs(args.value()?.parse()?))
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

    let adapter = options.adapter;
    let server = Arc::new(Server::new(options, tls));
    let handler = server.clone();
    ctrlc::set_handler(move || handler.shut_down())?;
    match adapter {
        Adapter::Std => on_std::run(&listener, &server),
        #[cfg(feature = "tokio")]
        Adapter::Tokio => on_tokio::run(listener, &server)?,
        #[cfg(feature = "futures-io")]
        Adapter::FuturesIo if server.tls.is_some() => {
            return Err("wss:// is for the adapters std and tokio".into());
        }
        #[cfg(feature = "futures-io")]
        Adapter::FuturesIo => on_futures_io::run(listener, &server)?,
    }
    Ok(())
}
