//! How many instructions a message takes on its way through the engine and the adapter, counted by
//! callgrind: unlike times, the same on a busy machine as on an idle one.
//!
//! `cargo bench --all-features --bench instructions` compares with `counts.txt` and fails if a path
//! has become more expensive by more than the tolerance; with `-- --record` it writes that file. It also
//! fails if what is received in the smallest pieces costs more than in proportion (`linear.rs`).

mod linear;
mod paths;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use linear::{AT_MOST, LARGE, SMALL, WORK};
use paths::PATHS;

/// In percent: compilers and machines differ a little.
const TOLERANCE: f64 = 4.0;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--run", name, count] => {
            let mut all = PATHS.iter().chain(WORK);
            let (_, run) = all.find(|(path, _)| *path == name).unwrap();
            run(count.parse().unwrap());
            ExitCode::SUCCESS
        }
        // As a test, each path just works.
        _ if args.contains(&"--test") => {
            for (name, run) in PATHS.iter().chain(WORK) {
                println!("{name}");
                run(512);
            }
            ExitCode::SUCCESS
        }
        _ => {
            let compared = compare(args.contains(&"--record"));
            if is_linear() {
                compared
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn compare(record: bool) -> ExitCode {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/counts.txt");
    let recorded = if record {
        String::new()
    } else {
        fs::read_to_string(&file).unwrap()
    };
    let recorded: BTreeMap<&str, u64> = recorded
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, count)| (name.trim_end(), count.parse().unwrap()))
        .collect();
    let (mut lines, mut worse) = (String::new(), 0);
    for (name, _) in PATHS {
        let count = per_message(name);
        let line = format!("{name:40} {count:>8}");
        match recorded.get(name) {
            _ if record => println!("{line}"),
            None => {
                println!("{line}  is not recorded");
                worse += 1;
            }
            Some(&before) => {
                let change = (count as f64 / before as f64 - 1.0) * 100.0;
                let verdict = if change > TOLERANCE { "  WORSE" } else { "" };
                worse += u32::from(change > TOLERANCE);
                println!("{line}  {change:+6.1} %{verdict}");
            }
        }
        lines.push_str(&line);
        lines.push('\n');
    }
    if record {
        fs::write(file, lines).unwrap();
    } else if worse > 0 {
        eprintln!("{worse} paths take more instructions than recorded, or are new");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Whether receiving costs in proportion to the bytes.
fn is_linear() -> bool {
    let mut all = true;
    for (name, _) in WORK {
        let (small, large) = (count(name, SMALL), count(name, LARGE));
        let ratio = large as f64 / small as f64;
        let verdict = if ratio > AT_MOST { "  NOT LINEAR" } else { "" };
        let each = large / LARGE;
        println!("{name:40} {each:>8} a byte, {ratio:.2} times for 16 times as many{verdict}");
        all &= ratio <= AT_MOST;
    }
    all
}

/// What each further message takes: the start is the same in both runs. Both are whole batches.
fn per_message(name: &str) -> u64 {
    const FEW: u64 = 512;
    const MANY: u64 = 3 * FEW;
    (count(name, MANY) - count(name, FEW)) / (MANY - FEW)
}

fn count(name: &str, messages: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().unwrap())
        .args(["--run", name, &messages.to_string()])
        .output()
        .expect("valgrind is installed");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {log}");
    let collected = log.lines().find_map(|line| line.split_once("Collected : "));
    collected.unwrap().1.trim().parse().unwrap()
}
