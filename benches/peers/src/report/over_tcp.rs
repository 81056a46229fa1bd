//! The part of the page on what was measured over TCP.

use std::fmt::{self, Write as _};

use super::Verdict;
use crate::peers::floor::RAW;
use crate::results::{Idle, Tcp};
use crate::tcp::SCENARIOS;

const OURS: &str = "sansocket";

/// How much more than the raw echo a message may cost, one at a time.
const OVER_RAW: f64 = 1.1;

/// How much memory a connection may keep beyond what the raw echo's does.
const IDLE_KIB: f64 = 1.0;

fn of<'a>(rows: &'a [Tcp], scenario: &str) -> Vec<&'a Tcp> {
    rows.iter().filter(|row| row.scenario == scenario).collect()
}

pub fn verdicts(tcp: &[Tcp], idle: &[Idle]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for scenario in SCENARIOS {
        let what = scenario.to_string();
        let rows = of(tcp, &what);
        let named = |name: &str| rows.iter().find(|row| row.name == name);
        let Some(ours) = named(OURS) else { continue };
        let peers = || {
            rows.iter()
                .filter(|row| row.name != OURS && row.name != RAW)
        };
        if let Some(best) = peers().max_by(|a, b| a.rate.median.total_cmp(&b.rate.median)) {
            verdicts.push(Verdict {
                what: format!("TCP, rate: {what}"),
                ours: OURS.into(),
                our_value: format!("{:.0} /s", ours.rate.median),
                best: best.name.clone(),
                best_value: format!("{:.0} /s", best.rate.median),
                ratio: ours.rate.median / best.rate.median,
                wanted: 1.0,
            });
        }
        let mut cost = |best: &Tcp, wanted| {
            verdicts.push(Verdict {
                what: format!("TCP, CPU: {what}"),
                ours: OURS.into(),
                our_value: format!("{:.0} ns", ours.nanos.median),
                best: best.name.clone(),
                best_value: format!("{:.0} ns", best.nanos.median),
                ratio: best.nanos.median / ours.nanos.median,
                wanted,
            });
        };
        if let Some(best) = peers().min_by(|a, b| a.nanos.median.total_cmp(&b.nanos.median)) {
            cost(best, 1.0);
        }
        if let (1, Some(raw)) = (scenario.depth, named(RAW)) {
            cost(raw, 1.0 / OVER_RAW);
        }
    }
    let kib = |name| idle.iter().find(|row| row.name == name).map(|row| row.kib);
    if let (Some(ours), Some(raw)) = (kib(OURS), kib(RAW)) {
        let (ours, allowed) = ((ours - raw).max(0.01), IDLE_KIB);
        verdicts.push(Verdict {
            what: "memory of an idle connection, beyond the raw echo's".into(),
            ours: OURS.into(),
            our_value: format!("{ours:.2} KiB"),
            best: "what is allowed".into(),
            best_value: format!("{allowed:.2} KiB"),
            ratio: allowed / ours,
            wanted: 1.0,
        });
    }
    verdicts
}

pub fn tables(page: &mut String, tcp: &[Tcp], idle: &[Idle]) -> fmt::Result {
    writeln!(page, "\n## Over loopback TCP\n")?;
    for scenario in SCENARIOS {
        let scenario = scenario.to_string();
        let mut rows = of(tcp, &scenario);
        if rows.is_empty() {
            continue;
        }
        rows.sort_by(|a, b| a.nanos.median.total_cmp(&b.nanos.median));
        writeln!(page, "### {scenario}\n")?;
        writeln!(
            page,
            "| | messages/s | quartiles | server's CPU ns a message | quartiles |"
        )?;
        writeln!(page, "|---|---:|---:|---:|---:|")?;
        for Tcp {
            name, rate, nanos, ..
        } in rows
        {
            let name = shown(name);
            writeln!(
                page,
                "| {name} | {:.0} | {:.0}–{:.0} | {:.0} | {:.0}–{:.0} |",
                rate.median, rate.low, rate.high, nanos.median, nanos.low, nanos.high,
            )?;
        }
        writeln!(page)?;
    }
    let mut idle: Vec<&Idle> = idle.iter().collect();
    idle.sort_by(|a, b| a.kib.total_cmp(&b.kib));
    writeln!(page, "### Memory of an idle connection\n")?;
    writeln!(
        page,
        "Resident, of each of 1,000 connections that wait after one message.\n"
    )?;
    writeln!(page, "| | KiB |")?;
    writeln!(page, "|---|---:|")?;
    for Idle { name, kib } in idle {
        writeln!(page, "| {} | {kib:.2} |", shown(name))?;
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
