//! In memory: checks every contender, then lets all take turns in short rounds, so that a slow spell
//! of the machine hits everyone, and the median counts.

use std::fs::File;
use std::io::{self, Write as _};
use std::time::Duration;

use crate::allocations;
use crate::case::{self, Action, Case, Role};
use crate::memory::Memory;
use crate::peers::{self, Contender, Seen, sansocket};
use crate::results::{Memory as Row, Spread};

/// How long, and how often.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    pub turn: Duration,
    pub rounds: usize,
}

impl Effort {
    pub const FULL: Self = Self {
        turn: Duration::from_millis(10),
        rounds: 15,
    };

    pub const QUICK: Self = Self {
        turn: Duration::from_millis(3),
        rounds: 7,
    };
}

/// Measures the cases whose name has `filter` in it, and appends the rows to a file.
pub fn run(effort: Effort, filter: &str, mut to: File) -> io::Result<()> {
    // For those who set a timer while they would wait.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let _entered = runtime.enter();
    for case in Case::all() {
        if !case.to_string().contains(filter) {
            continue;
        }
        eprintln!("{case}");
        for row in measure(&case, effort) {
            eprintln!(
                "    {:22} {:>12.1} ns  {:.2} allocations",
                row.name, row.nanos.median, row.allocations
            );
            writeln!(to, "{}", row.to_line())?;
        }
    }
    Ok(())
}

/// Lets one contender alone do some messages of a case, for a profiler to watch.
pub fn alone(case: &str, contender: &str, messages: usize) -> io::Result<()> {
    let case = Case::all()
        .into_iter()
        .find(|known| known.to_string() == case);
    let case = case.ok_or_else(|| io::Error::other("no such case"))?;
    let io = Memory::new(if case.receives() {
        case.wire()
    } else {
        Vec::new()
    });
    let mut contenders = peers::all()
        .into_iter()
        .flat_map(|peer| peer.contenders(&case, &io));
    let found = contenders.find(|known| known.name == contender);
    let mut found = found.ok_or_else(|| io::Error::other("no such contender"))?;
    (found.turn)(messages, &mut Seen::default());
    Ok(())
}

/// A contender, and how many messages make a turn of the length wanted.
struct Entry {
    contender: Contender,
    messages: usize,
    nanos: Vec<f64>,
}

fn measure(case: &Case, effort: Effort) -> Vec<Row> {
    let io = Memory::new(if case.receives() {
        case.wire()
    } else {
        Vec::new()
    });
    let contenders = peers::all()
        .into_iter()
        .flat_map(|peer| peer.contenders(case, &io));
    let mut entries: Vec<Entry> = contenders
        .map(|mut contender| {
            check(case, &io, &mut contender);
            let messages = calibrate(case, effort, &mut contender);
            Entry {
                contender,
                messages,
                nanos: Vec::new(),
            }
        })
        .collect();
    for _ in 0..effort.rounds {
        for entry in &mut entries {
            let time = time(&mut entry.contender, entry.messages);
            entry
                .nanos
                .push(time.as_nanos() as f64 / entry.messages as f64);
        }
        io.next_place();
    }
    entries
        .into_iter()
        .map(|mut entry| {
            let n = entry.messages;
            let turn = || (entry.contender.turn)(n, &mut Seen::default());
            let (count, bytes) = allocations::during(turn);
            Row {
                case: case.to_string(),
                name: entry.contender.name.into(),
                path: entry.contender.path,
                nanos: Spread::of(&mut entry.nanos),
                allocations: count as f64 / n as f64,
                bytes: bytes as f64 / n as f64,
            }
        })
        .collect()
}

/// What is received must be what was sent, and what is sent must decode to the same.
fn check(case: &Case, io: &Memory, contender: &mut Contender) {
    let n = (512 * 1024 / case.size)
        .clamp(3, 2000)
        .next_multiple_of(case.batch());
    let mut seen = Seen::expecting(&case.payloads);
    io.keep(true);
    (contender.turn)(n, &mut seen);
    io.keep(false);
    let written = io.take();
    if contender.path == peers::Path::Floor && !case.sends() {
        return;
    }
    let name = contender.name;
    if case.receives() {
        assert_eq!(seen.count, n, "{case}: {name} has not shown all messages");
    }
    if !case.sends() {
        assert!(written.is_empty(), "{case}: {name} has written");
        return;
    }
    let messages: Vec<_> = case.payloads.iter().cycle().take(n).collect();
    if case.action == Action::Deflate {
        let size = written.len() as f64 / n as f64;
        let ratio = 100.0 * size / case.size as f64;
        eprintln!("    {name}: {size:.0} bytes a message, {ratio:.0} %");
        let inflated = sansocket::inflated(case, &written);
        assert!(inflated.iter().eq(messages), "{case}: {name}");
        return;
    }
    if case.role == Role::Server {
        let mut expected = Vec::new();
        for message in messages {
            case::frame(&mut expected, case.opcode(), message, None);
        }
        assert!(
            written == expected,
            "{case}: {name} has written other bytes"
        );
        return;
    }
    let frames = case::parse(&written);
    assert_eq!(
        frames.len(),
        n,
        "{case}: {name} has written another number of frames"
    );
    for ((first, key, payload), expected) in frames.iter().zip(messages) {
        assert_eq!(*first, 0x80 | case.opcode(), "{case}: {name}");
        assert!(key.is_some() && payload == expected, "{case}: {name}");
    }
}

fn time(contender: &mut Contender, messages: usize) -> Duration {
    let mut seen = Seen::default();
    let start = cpu_time();
    (contender.turn)(messages, &mut seen);
    cpu_time() - start
}

/// Of this thread: what others do on the machine does not count.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes to `time`, and nothing else.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How many messages make a turn: whole batches, whole cycles of compressed messages.
fn calibrate(case: &Case, effort: Effort, contender: &mut Contender) -> usize {
    let step = case.batch().max(case.payloads.len().min(64));
    let mut messages = step;
    loop {
        let time = time(contender, messages);
        if time >= effort.turn / 4 {
            let share = effort.turn.as_secs_f64() / time.as_secs_f64();
            return ((messages as f64 * share) as usize)
                .max(1)
                .next_multiple_of(step);
        }
        messages *= 2;
    }
}
