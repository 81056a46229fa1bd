//! How much memory an idle connection takes, next to a bare task that waits for a stream:
//! `cargo run --release --features tokio --example idle_memory`, on Linux.
//!
//! Each row of the table is a server in a process of its own, so that none finds memory that another
//! has left; its clients are in yet another, so that theirs is not counted.

mod clients;
#[path = "../common/descriptors.rs"]
mod descriptors;
mod server;

use std::error::Error;
use std::process::{Command, ExitCode, Stdio, exit};
use std::thread;
use std::time::Duration;

const USAGE: &str = "\
usage: idle_memory [OPTIONS]

  --connections N   how many to open (10000)
  --deflate         also with compression negotiated (needs the feature `deflate`)
  --help            print this

Linux only: resident memory is what /proc/self/status calls VmRSS.
";

/// A process that takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(120);

/// Contexts are large: fewer connections show that as well.
const MAX_TAKEOVER: usize = 500;

/// glibc keeps what is freed between what is not, which shows how an allocator works and not what a
/// connection holds: this way, a compressor given back leaves the process at once.
const MMAP_THRESHOLD: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "16384");

/// What a server's connections are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A task that owns a `TcpStream` and waits for it to be readable.
    Bare,
    WebSocket,
    /// With keep-alive pings, and so with a timer.
    KeepAlive,
    /// With compression, each message on its own.
    Deflate,
    /// With compression, each message by what came before it.
    Takeover,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Bare,
        Self::WebSocket,
        Self::KeepAlive,
        Self::Deflate,
        Self::Takeover,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare tokio task with a TcpStream",
            Self::WebSocket => "WebSocket",
            Self::KeepAlive => "WebSocket with keep-alive pings",
            Self::Deflate => "... and compression",
            Self::Takeover => "... and context takeover",
        }
    }

    fn is_compressed(self) -> bool {
        matches!(self, Self::Deflate | Self::Takeover)
    }

    fn connections(self, asked: usize) -> usize {
        match self {
            Self::Takeover => asked.min(MAX_TAKEOVER),
            _ => asked,
        }
    }
}

enum Role {
    All,
    Server(Kind),
    Clients(Kind, Vec<String>),
}

fn main() -> ExitCode {
    let (role, connections, deflate) = match from_args() {
        Ok(args) => args,
        Err(error) => {
            eprint!("{error}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    if !cfg!(target_os = "linux") {
        eprintln!("this measures by /proc/self/status, which only Linux has");
        return ExitCode::FAILURE;
    }
    let result = match role {
        Role::All => compare(connections, deflate),
        Role::Server(kind) => within_limit(|| server::run(kind, connections)),
        Role::Clients(kind, addresses) => {
            within_limit(|| clients::run(kind, &addresses, connections))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn from_args() -> Result<(Role, usize, bool), lexopt::Error> {
    use lexopt::prelude::*;

    let (mut role, mut connections, mut deflate) = (Role::All, 10_000, false);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("connections") => connections = args.value()?.parse::<usize>()?.max(1),
            Long("deflate") if cfg!(feature = "deflate") => deflate = true,
            Long("deflate") => return Err("build it with `--features tokio,deflate`".into()),
            // How the processes start each other.
            Long("server") => role = Role::Server(args.value()?.parse_with(kind)?),
            Long("clients") => {
                role = Role::Clients(args.value()?.parse_with(kind)?, Vec::new());
            }
            Value(address) => match &mut role {
                Role::Clients(_, addresses) => addresses.push(address.string()?),
                _ => return Err(Value(address).unexpected()),
            },
            Short('h') | Long("help") => {
                print!("{USAGE}");
                exit(0);
            }
            _ => return Err(arg.unexpected()),
        }
    }
    Ok((role, connections, deflate))
}

fn kind(text: &str) -> Result<Kind, String> {
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| format!("{kind:?}") == text);
    kind.ok_or_else(|| format!("no such kind: {text}"))
}

/// This program in another role.
fn process(role: &str, kind: Kind, connections: usize) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([&format!("--{role}"), &format!("{kind:?}"), "--connections"]);
    command.arg(connections.to_string());
    Ok(command)
}

/// Prints the table, a server for each row.
fn compare(connections: usize, deflate: bool) -> Result<(), Box<dyn Error>> {
    println!("resident memory of an idle server connection, in bytes: when opened, and after it");
    println!("has echoed a text of 100 bytes; in brackets, what is beyond the bare task");
    println!();
    println!("{:34}{:>16}{:>16}", "", "opened", "after a text");
    let mut bare = (0, 0);
    let mut sizes = String::new();
    for kind in Kind::ALL {
        if kind.is_compressed() && !deflate {
            continue;
        }
        let connections = kind.connections(connections);
        let server = process("server", kind, connections)?
            .env(MMAP_THRESHOLD.0, MMAP_THRESHOLD.1)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        if !server.status.success() {
            return Err(format!("the server of {kind:?} failed").into());
        }
        let output = String::from_utf8(server.stdout)?;
        let (numbers, size) = output.split_once('\n').ok_or("no result")?;
        let (opened, after) = numbers.split_once(' ').ok_or("no numbers")?;
        let (opened, after): (i64, i64) = (opened.parse()?, after.parse()?);
        if kind == Kind::Bare {
            bare = (opened, after);
            println!("{:34}{opened:>8}{:8}{after:>8}", kind.name(), "");
        } else {
            let beyond = |bytes: i64, bare: i64| format!("{bytes:>8} ({:+})", bytes - bare);
            println!(
                "{:34}{:16}{:16}",
                kind.name(),
                beyond(opened, bare.0),
                beyond(after, bare.1)
            );
        }
        sizes.push_str(size);
    }
    println!();
    print!("{sizes}");
    println!("connections: {connections} (with context takeover, up to {MAX_TAKEOVER})");
    Ok(())
}

/// Ends the process when it takes too long: it never hangs.
fn within_limit(run: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    thread::spawn(|| {
        thread::sleep(LIMIT);
        eprintln!("not done after {} s", LIMIT.as_secs());
        exit(1);
    });
    run()
}
