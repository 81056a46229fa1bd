//! Over loopback TCP: a server process for each peer, and one load generator without a WebSocket
//! library. Each process has a CPU of its own.

mod client;
mod process;

use std::fs::File;
use std::io::{self, Write as _};
use std::time::Duration;

use crate::case::{self, size_name};
use crate::peers::{self, floor::RAW};
use crate::results::{Idle, Spread, Tcp};

use client::Load;
use process::Server;
pub use process::serve;

/// The load generator's CPU; the servers have the first.
const CLIENT_CPU: usize = 1;

#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub connections: usize,
    pub size: usize,
    /// How many messages of a connection are on their way.
    pub depth: usize,
}

pub const SCENARIOS: [Scenario; 5] = [
    Scenario {
        connections: 200,
        size: 20,
        depth: 1,
    },
    Scenario {
        connections: 10,
        size: 1 << 10,
        depth: 1,
    },
    Scenario {
        connections: 10,
        size: 16 << 10,
        depth: 1,
    },
    Scenario {
        connections: 1,
        size: 64 << 10,
        depth: 4,
    },
    Scenario {
        connections: 1,
        size: 16,
        depth: 64,
    },
];

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            connections,
            size,
            depth,
        } = *self;
        let size = size_name(size);
        write!(f, "{connections} × {size}, depth {depth}")
    }
}

/// How long, and how often.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    pub turn: Duration,
    pub rounds: usize,
}

impl Effort {
    pub const FULL: Self = Self {
        turn: Duration::from_millis(150),
        rounds: 15,
    };
    pub const QUICK: Self = Self {
        turn: Duration::from_millis(60),
        rounds: 5,
    };
}

fn servers() -> impl Iterator<Item = &'static str> {
    peers::all().into_iter().filter_map(|peer| peer.serves())
}

/// A request, and what comes back for it: frames, but for the raw echo.
fn exchange(name: &str, size: usize) -> (Vec<u8>, Vec<u8>) {
    let payload: Vec<u8> = (0..=250).cycle().take(size).collect();
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    case::frame(&mut request, 2, &payload, Some([0x37, 0xfa, 0x21, 0x3d]));
    case::frame(&mut answer, 2, &payload, None);
    if name == RAW {
        answer.clone_from(&request);
    }
    (request, answer)
}

/// Measures the scenarios whose name has `filter` in it, and appends the rows to a file.
pub fn run(effort: Effort, filter: &str, mut to: File) -> io::Result<()> {
    process::pin(CLIENT_CPU)?;
    process::raise_file_limit()?;
    for scenario in SCENARIOS {
        if !scenario.to_string().contains(filter) {
            continue;
        }
        eprintln!("{scenario}");
        let mut entries = Vec::new();
        for name in servers() {
            let server = Server::start(name, scenario.depth > 1)?;
            let (request, answer) = exchange(name, scenario.size);
            let mut load = Load::connect(server.port, scenario, &request, &answer)?;
            load.run(effort.turn / 4)?;
            entries.push((name, server, load, Vec::new(), Vec::new()));
        }
        for _ in 0..effort.rounds {
            for (_, server, load, rates, costs) in &mut entries {
                let before = server.cpu_time()?;
                let (messages, time) = load.run(effort.turn)?;
                let cost = server.cpu_time()? - before;
                rates.push(messages as f64 / time.as_secs_f64());
                costs.push(cost.as_nanos() as f64 / messages as f64);
            }
        }
        for (name, _, _, mut rates, mut costs) in entries {
            let row = Tcp {
                scenario: scenario.to_string(),
                name: name.into(),
                rate: Spread::of(&mut rates),
                nanos: Spread::of(&mut costs),
            };
            eprintln!(
                "    {name:18} {:>9.0} /s {:>9.0} ns",
                row.rate.median, row.nanos.median
            );
            writeln!(to, "{}", row.to_line())?;
        }
    }
    Ok(())
}

/// What a connection keeps resident that waits after one message.
pub fn idle(filter: &str, mut to: File) -> io::Result<()> {
    const CONNECTIONS: usize = 1000;
    process::pin(CLIENT_CPU)?;
    process::raise_file_limit()?;
    for name in servers().filter(|name| name.contains(filter)) {
        let server = Server::start(name, false)?;
        let (request, answer) = exchange(name, 20);
        let one_each = |connections| Scenario {
            connections,
            size: 20,
            depth: 1,
        };
        // What all connections share is there before.
        let mut first = Load::connect(server.port, one_each(10), &request, &answer)?;
        first.once()?;
        let before = server.resident()?;
        let mut load = Load::connect(server.port, one_each(CONNECTIONS), &request, &answer)?;
        load.once()?;
        // Who gives memory back after a while has had it.
        std::thread::sleep(Duration::from_millis(1500));
        let bytes = server.resident()?.saturating_sub(before) as f64;
        let row = Idle {
            name: name.into(),
            kib: bytes / 1024.0 / CONNECTIONS as f64,
        };
        eprintln!("    {name:18} {:>7.2} KiB", row.kib);
        writeln!(to, "{}", row.to_line())?;
    }
    Ok(())
}
