//! The part of the page on what was measured over TCP.

use std::fmt::{self, Write as _};

use super::{Held, ratio};
use crate::peers::floor::RAW;
use crate::results::{Idle, Tcp};
use crate::tcp::{SCENARIOS, Scenario};

pub const OURS: &str = "sansocket";

/// How much more than the raw echo a message may cost, one at a time.
const OVER_RAW: f64 = 1.1;

/// How much memory a connection may keep beyond what the raw echo's does.
const IDLE_KIB: f64 = 1.0;

pub fn is_peer(name: &str) -> bool {
    name != OURS && name != RAW
}

pub fn of<'a>(rows: &'a [Tcp], scenario: &Scenario) -> Vec<&'a Tcp> {
    let name = scenario.to_string();
    rows.iter().filter(|row| row.scenario == name).collect()
}

/// The peer that answers the most messages.
pub fn fastest<'a>(rows: &[&'a Tcp]) -> Option<&'a Tcp> {
    let peers = rows.iter().copied().filter(|row| is_peer(&row.name));
    peers.max_by(|a, b| a.rate.median.total_cmp(&b.rate.median))
}

/// The peer whose messages cost the least.
pub fn cheapest<'a>(rows: &[&'a Tcp]) -> Option<&'a Tcp> {
    let peers = rows.iter().copied().filter(|row| is_peer(&row.name));
    peers.min_by(|a, b| a.nanos.median.total_cmp(&b.nanos.median))
}

/// The peer that keeps the least.
pub fn smallest(rows: &[Idle]) -> Option<&Idle> {
    let peers = rows.iter().filter(|row| is_peer(&row.name));
    peers.min_by(|a, b| a.kib.total_cmp(&b.kib))
}

fn rate(what: &Scenario, ours: &Tcp, best: &Tcp) -> Held {
    Held {
        what: format!("TCP, rate: {what}"),
        ours: ours.name.clone(),
        our_value: format!("{:.0} /s", ours.rate.median),
        best: best.name.clone(),
        best_value: format!("{:.0} /s", best.rate.median),
        ratio: ours.rate.median / best.rate.median,
    }
}

fn cost(what: &Scenario, ours: &Tcp, best: &Tcp) -> Held {
    Held {
        what: format!("TCP, CPU: {what}"),
        ours: ours.name.clone(),
        our_value: format!("{:.0} ns", ours.nanos.median),
        best: best.name.clone(),
        best_value: format!("{:.0} ns", best.nanos.median),
        ratio: best.nanos.median / ours.nanos.median,
    }
}

/// Ours beside the best peers.
pub fn held(tcp: &[Tcp], idle: &[Idle]) -> Vec<Held> {
    let mut held = Vec::new();
    for scenario in SCENARIOS {
        let rows = of(tcp, &scenario);
        let Some(ours) = rows.iter().find(|row| row.name == OURS) else {
            continue;
        };
        held.extend(fastest(&rows).map(|best| rate(&scenario, ours, best)));
        held.extend(cheapest(&rows).map(|best| cost(&scenario, ours, best)));
    }
    let ours = idle.iter().find(|row| row.name == OURS);
    if let (Some(ours), Some(best)) = (ours, smallest(idle)) {
        held.push(Held {
            what: "memory of an idle connection".into(),
            ours: ours.name.clone(),
            our_value: format!("{:.2} KiB", ours.kib),
            best: best.name.clone(),
            best_value: format!("{:.2} KiB", best.kib),
            ratio: best.kib / ours.kib,
        });
    }
    held
}

/// The bars, and the ratios wanted.
pub fn verdicts(tcp: &[Tcp], idle: &[Idle]) -> Vec<(Held, f64)> {
    let mut verdicts = Vec::new();
    for scenario in SCENARIOS {
        let rows = of(tcp, &scenario);
        let named = |name: &str| rows.iter().find(|row| row.name == name);
        let Some(ours) = named(OURS) else { continue };
        verdicts.extend(fastest(&rows).map(|best| (rate(&scenario, ours, best), 1.0)));
        verdicts.extend(cheapest(&rows).map(|best| (cost(&scenario, ours, best), 1.0)));
        if let (1, Some(raw)) = (scenario.depth, named(RAW)) {
            verdicts.push((cost(&scenario, ours, raw), 1.0 / OVER_RAW));
        }
    }
    let kib = |name| idle.iter().find(|row| row.name == name).map(|row| row.kib);
    if let (Some(ours), Some(raw)) = (kib(OURS), kib(RAW)) {
        let (ours, allowed) = ((ours - raw).max(0.01), IDLE_KIB);
        let held = Held {
            what: "memory of an idle connection, beyond the raw echo's".into(),
            ours: OURS.into(),
            our_value: format!("{ours:.2} KiB"),
            best: "what is allowed".into(),
            best_value: format!("{allowed:.2} KiB"),
            ratio: allowed / ours,
        };
        verdicts.push((held, 1.0));
    }
    verdicts
}

pub fn tables(page: &mut String, tcp: &[Tcp], idle: &[Idle]) -> fmt::Result {
    writeln!(
        page,
        "
## Over loopback TCP

Depth is how many messages of a connection are on their way. *Busy* is CPU time by rate: a server that is
busy for half of the time waits for the load generator, and its rate is the generator's; there, look at
the CPU time."
    )?;
    for scenario in SCENARIOS {
        let mut rows = of(tcp, &scenario);
        if rows.is_empty() {
            continue;
        }
        rows.sort_by(|a, b| a.nanos.median.total_cmp(&b.nanos.median));
        let best_rate = fastest(&rows).map(|best| best.rate.median);
        let best_cost = cheapest(&rows).map(|best| best.nanos.median);
        write!(
            page,
            "
### {scenario}

| | messages/s | quartiles | to the best peer | server's CPU ns a message | quartiles | to the best peer | busy |
|---|---:|---:|---:|---:|---:|---:|---:|
"
        )?;
        for row in rows {
            let Tcp {
                name, rate, nanos, ..
            } = row;
            let to_rate = best_rate.map_or(String::new(), |best| ratio(rate.median / best));
            let to_cost = best_cost.map_or(String::new(), |best| ratio(best / nanos.median));
            let busy = rate.median * nanos.median / 1e7;
            writeln!(
                page,
                "| {} | {:.0} | {:.0}–{:.0} | {to_rate} | {:.0} | {:.0}–{:.0} | {to_cost} | {busy:.0} % |",
                shown(name),
                rate.median,
                rate.low,
                rate.high,
                nanos.median,
                nanos.low,
                nanos.high,
            )?;
        }
    }
    let best = smallest(idle).map(|best| best.kib);
    let mut idle: Vec<&Idle> = idle.iter().collect();
    idle.sort_by(|a, b| a.kib.total_cmp(&b.kib));
    write!(
        page,
        "
### Memory of an idle connection

Resident, of each of 1,000 connections that wait after one message, measured once.

| | KiB | to the best peer |
|---|---:|---:|
"
    )?;
    for Idle { name, kib } in idle {
        let ratio = best.map_or(String::new(), |best| ratio(best / kib));
        writeln!(page, "| {} | {kib:.2} | {ratio} |", shown(name))?;
    }
    Ok(())
}

fn shown(name: &str) -> String {
    match name {
        OURS => format!("**{name}**"),
        RAW => format!("*{name}*"),
        name => name.into(),
    }
}
