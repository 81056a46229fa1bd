//! The server, whose memory is measured: the multi-threaded runtime, and a task for each connection.

use std::error::Error;
use std::fs;
use std::future::poll_fn;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use sansocket::handshake::Limits;
use sansocket::handshake::server::Acceptance;
use sansocket::tokio::{Incoming, WebSocket, accept, read_request};
use sansocket::{Config, Event};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::{Kind, descriptors, process};

/// An address has so many ports for clients, and some to spare.
const PER_ADDRESS: usize = 20_000;

/// After so long, all that is given back by an idle connection has been.
const SETTLED: Duration = Duration::from_millis(2500);

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

pub(crate) fn run(kind: Kind, connections: usize) -> Result<(), Box<dyn Error>> {
    descriptors::make_room(connections + 1)?;
    let runtime = Runtime::new()?;
    let mut clients = process("clients", kind, connections)?;
    for last in 1..=1 + connections / PER_ADDRESS {
        let ip = Ipv4Addr::new(127, 0, 0, u8::try_from(last)?);
        let listener = runtime.block_on(TcpListener::bind((ip, 0)))?;
        clients.arg(listener.local_addr()?.to_string());
        runtime.spawn(listen(kind, listener));
    }
    // They end by themselves when this process does: their stdin ends.
    let mut clients = clients
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut go = clients.stdin.take().ok_or("no stdin")?;
    let mut done = BufReader::new(clients.stdout.take().ok_or("no stdout")?).lines();
    let mut resident = || -> Result<i64, Box<dyn Error>> {
        done.next().ok_or("the clients failed")??;
        sleep(SETTLED);
        let bytes = resident()?;
        go.write_all(b"\n")?;
        Ok(bytes)
    };

    let before = resident()?;
    let opened = resident()?;
    let after = resident()?;
    drop(go);
    clients.wait()?;

    let each = |bytes: i64| (bytes - before) / i64::try_from(connections).unwrap_or(i64::MAX);
    println!("{} {}", each(opened), each(after));
    print_sizes(kind);
    Ok(())
}

/// The resident memory of this process, in bytes.
fn resident() -> Result<i64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("no VmRSS")?.parse::<i64>()? * 1024)
}

fn print_sizes(kind: Kind) {
    match kind {
        Kind::Bare => println!("size of the bare task's future: {}", size(bare)),
        Kind::WebSocket => {
            let websocket = size_of::<WebSocket<TcpStream>>();
            println!("size of WebSocket<TcpStream>: {websocket}");
            println!("size of the future of accept: {}", size(accept));
            let task = size(|stream| echo(stream, kind));
            println!("size of its task's future: {task}");
        }
        _ => {}
    }
}

/// The size of the future that a function gives.
fn size<F>(_: impl FnOnce(TcpStream) -> F) -> usize {
    size_of::<F>()
}

async fn listen(kind: Kind, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if kind == Kind::Bare {
            tokio::spawn(bare(stream));
        } else {
            tokio::spawn(echo(stream, kind));
        }
    }
}

/// The least that a task can hold: its buffer is on the stack, and only while it is polled.
async fn bare(stream: TcpStream) -> io::Result<()> {
    loop {
        poll_fn(|cx| stream.poll_read_ready(cx)).await?;
        let mut room = [0; 128];
        match stream.try_read(&mut room) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                stream.try_write(room.get(..n).unwrap_or_default())?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn echo(stream: TcpStream, kind: Kind) -> Outcome {
    let Incoming::Request(pending) = read_request(stream, Limits::new()).await? else {
        return Err("no request".into());
    };
    let mut websocket = pending.accept(acceptance(kind), config(kind)).await?;
    while let Some((event, connection)) = websocket.recv_with_connection().await? {
        if let Event::Text(text) = event {
            connection.send_text(&text)?;
        }
    }
    Ok(())
}

fn config(kind: Kind) -> Config {
    match kind {
        Kind::Bare | Kind::WebSocket => Config::new(),
        _ => Config::new().keep_alive(Duration::from_secs(30), Duration::from_secs(20)),
    }
}

#[cfg(feature = "deflate")]
fn acceptance(kind: Kind) -> Acceptance {
    let config = sansocket::DeflateConfig::new();
    match kind {
        Kind::Takeover => Acceptance::new().deflate(config),
        Kind::Deflate => Acceptance::new().deflate(
            config
                .server_context_takeover(false)
                .client_context_takeover(false),
        ),
        _ => Acceptance::new(),
    }
}

#[cfg(not(feature = "deflate"))]
fn acceptance(_: Kind) -> Acceptance {
    Acceptance::new()
}
