//! The few rows that stand in the project's README. They are what users ask for, no matter who is ahead.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::{fs, io};

use super::{best_peer, is_peer, nanos, of_case, over_tcp, ratio};
use crate::case::{Action, Case, Kind, Role};
use crate::peers::Path;
use crate::results::{Memory, Results};
use crate::tcp::{SCENARIOS, Scenario};

const BEGIN: &str = "<!-- From here, benches/peers/run writes. -->";
const END: &str = "<!-- To here. -->";

/// Whom most come from.
const MOST_USED: &str = "tokio-tungstenite";

/// In memory: by `recv_event` and `send_binary`, which lend, or by `recv` and `feed`.
const CASES: [(Action, Kind, usize, Path); 11] = {
    use {Action::*, Kind::*, Path::*};
    [
        (Receive, Binary, 125, Lent),
        (Receive, Binary, 125, Owned),
        (Receive, Binary, 1 << 10, Lent),
        (Receive, Binary, 1 << 10, Owned),
        (Receive, Binary, 64 << 10, Lent),
        (Receive, Binary, 64 << 10, Owned),
        (Receive, Ascii, 1 << 10, Owned),
        // Who owns a message can lend it: so this is held against all peers.
        (Send, Binary, 1 << 10, Lent),
        (Echo, Binary, 1 << 10, Owned),
        (Inflate, Json, 1 << 10, Owned),
        (Deflate, Json, 1 << 10, Owned),
    ]
};

/// Over TCP: where servers wait for the load, what a message costs, otherwise how many they answer.
const COSTS: [Scenario; 2] = [SCENARIOS[0], SCENARIOS[2]];
const RATES: [Scenario; 1] = [SCENARIOS[4]];

/// A row: what it is, ours, the most used one's, and the best peer's with its name.
struct Row {
    what: String,
    ours: f64,
    most_used: Option<f64>,
    best: (String, f64),
    /// Shows a value.
    shown: fn(f64) -> String,
    /// Whether more is better.
    is_rate: bool,
}

/// A sentence and the table.
pub fn table(results: &Results) -> Result<String, fmt::Error> {
    let about = &results.about;
    let version = |of: &str| {
        let found = about.versions.iter().find(|(name, _)| name == of);
        found.map_or("", |(_, version)| version)
    };
    let peers = results.memory.iter().filter(|row| is_peer(row));
    let peers: BTreeSet<&str> = peers.map(|row| row.name.as_str()).collect();
    let is_quick = |(command, _): &(String, String)| command.contains("--quick");
    let roughly = match about.runs.iter().any(is_quick) {
        true => " (measured with `--quick`, so only roughly)",
        false => "",
    };
    let mut table = String::new();
    write!(
        table,
        "\
sansocket {} beside {MOST_USED} {}, the most used, and the best of {} peers in each row, on a
{}{roughly}. Ratios above 1 are in favour of sansocket;
the rows that it loses to the best peer say so.

| CPU time of a message | sansocket | {MOST_USED} | ratio | best peer | | ratio |
|---|---:|---:|---:|---|---:|---:|
",
        version("sansocket"),
        version(MOST_USED),
        peers.len(),
        about.machine,
    )?;
    for row in rows(results) {
        let Row {
            what,
            ours,
            most_used,
            best: (best_name, best),
            shown,
            is_rate,
        } = row;
        let to = |other: f64| if is_rate { ours / other } else { other / ours };
        let (their_value, their_ratio) = match most_used {
            None => ("–".into(), String::new()),
            Some(theirs) => (shown(theirs), marked(to(theirs))),
        };
        let (ours, best_value, best_ratio) = (shown(ours), shown(best), marked(to(best)));
        writeln!(
            table,
            "| {what} | {ours} | {their_value} | {their_ratio} | {best_name} | {best_value} | {best_ratio} |"
        )?;
    }
    Ok(table)
}

fn marked(value: f64) -> String {
    match value < 1.0 {
        true => format!("**lost**, {}", ratio(value)),
        false => ratio(value),
    }
}

fn rows(results: &Results) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (action, kind, size, path) in CASES {
        let case = Case::new(action, Role::Server, kind, size);
        rows.extend(in_memory(&results.memory, &case, path));
    }
    for (scenarios, is_rate) in [(&COSTS[..], false), (&RATES[..], true)] {
        for scenario in scenarios {
            rows.extend(over_tcp(results, scenario, is_rate));
        }
    }
    rows.extend(idle(results));
    rows
}

fn in_memory(rows: &[Memory], case: &Case, path: Path) -> Option<Row> {
    let rows = of_case(rows, case);
    let value = |name: &str| {
        let row = rows.iter().find(|row| row.name == name)?;
        Some(row.nanos.median)
    };
    let way = match path {
        Path::Owned => "owned",
        Path::Lent | Path::Sync | Path::Floor => "lent",
    };
    let best = best_peer(&rows, path)?;
    Some(Row {
        what: format!("{}, *{way}*", in_full(case)),
        ours: value(&format!("sansocket, {way}"))?,
        most_used: value(MOST_USED),
        best: (best.name.clone(), best.nanos.median),
        shown: time,
        is_rate: false,
    })
}

fn in_full(case: &Case) -> String {
    let kind = match case.kind {
        Kind::Ascii => ("ascii", "ASCII text"),
        Kind::Json => ("json", "JSON"),
        Kind::Binary | Kind::MultiByte | Kind::JsonAlone => ("", ""),
    };
    case.to_string().replacen(kind.0, kind.1, 1)
}

fn over_tcp(results: &Results, scenario: &Scenario, is_rate: bool) -> Option<Row> {
    let rows = over_tcp::of(&results.tcp, scenario);
    let (best, what) = match is_rate {
        true => (over_tcp::fastest(&rows)?, "messages a second"),
        false => (over_tcp::cheapest(&rows)?, "CPU time, kernel's included"),
    };
    let of = |row: &crate::results::Tcp| match is_rate {
        true => row.rate.median,
        false => row.nanos.median,
    };
    let value = |name: &str| rows.iter().find(|row| row.name == name).map(|row| of(row));
    Some(Row {
        what: format!("TCP echo, {scenario}: {what}"),
        ours: value(over_tcp::OURS)?,
        most_used: value(MOST_USED),
        best: (best.name.clone(), of(best)),
        shown: if is_rate { rate } else { time },
        is_rate,
    })
}

fn idle(results: &Results) -> Option<Row> {
    let value = |name: &str| {
        let row = results.idle.iter().find(|row| row.name == name)?;
        Some(row.kib)
    };
    let best = over_tcp::smallest(&results.idle)?;
    Some(Row {
        what: "idle TCP connection: memory".into(),
        ours: value(over_tcp::OURS)?,
        most_used: value(MOST_USED),
        best: (best.name.clone(), best.kib),
        shown: |kib| format!("{kib:.2} KiB"),
        is_rate: false,
    })
}

fn time(value: f64) -> String {
    match value {
        value if value < 1e3 => format!("{} ns", nanos(value)),
        value if value < 1e4 => format!("{:.2} µs", value / 1e3),
        value => format!("{:.1} µs", value / 1e3),
    }
}

fn rate(value: f64) -> String {
    format!("{:.0} k/s", value / 1e3)
}

/// Puts the table between the two marks of a file.
pub fn put(file: &str, table: &str) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    let parts = text
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) =
        parts.ok_or_else(|| io::Error::other(format!("{file}: no place for the table")))?;
    fs::write(file, format!("{before}{BEGIN}\n{table}{END}{after}"))
}
