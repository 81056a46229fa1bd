//! Which plots there are, and what they show.

use super::over_tcp;
use super::svg::{Bar, Kind, Panel, Plot, Unit};
use super::{is_ours, of_case};
use crate::case::{Action, Case, Kind as Payload};
use crate::peers::{Path, floor::RAW};
use crate::results::{Memory, Results};
use crate::tcp::SCENARIOS;

const CUT: &str =
    "Each panel has a scale of its own. A bar with a gap is cut; its number says how long it is.";
const RECEIVING: &str = "sansocket, sync: the engine alone. lent: events that the tokio adapter lends. \
                         owned: its messages that belong to the application.";
const SENDING: &str = "sansocket, sync: the engine alone. lent: the tokio adapter is lent the payload. \
                       owned: it is given the message.";

/// Their names as files, and the plots of which there are results.
pub fn all(results: &Results) -> Vec<(&'static str, Plot)> {
    let about = &results.about;
    let measured = format!("Shorter is better. Measured on a {}.", about.machine);
    let memory = |title: &str, ways: &str, wanted: &dyn Fn(&Case) -> bool| Plot {
        title: title.into(),
        notes: vec![ways.into(), CUT.into(), measured.clone()],
        panels: in_memory(&results.memory, wanted),
    };
    let plots = [
        (
            "receive",
            memory(
                "Receiving: CPU time of a binary message, in memory",
                RECEIVING,
                &|case| case.action == Action::Receive && case.kind == Payload::Binary,
            ),
        ),
        (
            "send",
            memory(
                "Sending: CPU time of a binary message, flushed each, in memory",
                SENDING,
                &|case| case.action == Action::Send,
            ),
        ),
        (
            "echo",
            memory("Echoing: CPU time of a binary message, in memory", RECEIVING, &|case| {
                case.action == Action::Echo
            }),
        ),
        (
            "tcp",
            Plot {
                title: "Echo servers over loopback TCP, one thread each".into(),
                notes: vec![
                    "Left: the server's CPU time of a message, with the kernel's; shorter is better. \
                     Right: messages a second; longer is better."
                        .into(),
                    "Depth: how many messages of a connection are on their way. The raw echo gives the \
                     bytes back without looking at them; sansocket answers from events that it lends."
                        .into(),
                    CUT.into(),
                    format!("Measured on a {}.", about.machine),
                ],
                panels: over_tcp(results),
            },
        ),
        (
            "idle",
            Plot {
                title: "Memory of an idle connection of a server on tokio".into(),
                notes: vec![
                    "Resident, of each of 1,000 connections that wait after one message. A bar with a gap \
                     is cut."
                        .into(),
                    measured.clone(),
                ],
                panels: idle(results),
            },
        ),
    ];
    let plots = plots.into_iter();
    plots.filter(|(_, plot)| !plot.panels.is_empty()).collect()
}

fn in_memory(rows: &[Memory], wanted: &dyn Fn(&Case) -> bool) -> Vec<Panel> {
    let mut cases = Case::all();
    cases.retain(|case| wanted(case));
    // Server and client stand side by side.
    cases.sort_by_key(|case| case.size);
    let panels = cases.into_iter().map(|case| {
        let rows = of_case(rows, &case).into_iter();
        let rows = rows.filter(|row| row.path != Path::Floor && !row.name.ends_with("Stream"));
        let bars = rows.map(|row| Bar {
            name: row.name.clone(),
            value: row.nanos.median,
            kind: if is_ours(row) { Kind::Ours } else { Kind::Peer },
        });
        panel(case.to_string(), Unit::Nanos, bars.collect())
    });
    panels.filter(|panel| !panel.bars.is_empty()).collect()
}

fn over_tcp(results: &Results) -> Vec<Panel> {
    let mut panels = Vec::new();
    for scenario in SCENARIOS {
        let rows = over_tcp::of(&results.tcp, &scenario);
        if rows.is_empty() {
            continue;
        }
        let bars = |value: &dyn Fn(&crate::results::Tcp) -> f64| -> Vec<Bar> {
            let bars = rows.iter().map(|row| Bar {
                name: row.name.clone(),
                value: value(row),
                kind: kind(&row.name),
            });
            bars.collect()
        };
        panels.push(panel(
            format!("{scenario}: CPU"),
            Unit::Nanos,
            bars(&|row| row.nanos.median),
        ));
        panels.push(panel(
            format!("{scenario}: rate"),
            Unit::PerSecond,
            bars(&|row| row.rate.median),
        ));
    }
    panels
}

fn idle(results: &Results) -> Vec<Panel> {
    let bars = results.idle.iter().map(|row| Bar {
        name: row.name.clone(),
        value: row.kib,
        kind: kind(&row.name),
    });
    let panel = panel("one connection".into(), Unit::Kib, bars.collect());
    if panel.bars.is_empty() {
        return Vec::new();
    }
    vec![panel]
}

fn kind(name: &str) -> Kind {
    match name {
        over_tcp::OURS => Kind::Ours,
        RAW => Kind::Floor,
        _ => Kind::Peer,
    }
}

/// With the best on top.
fn panel(title: String, unit: Unit, mut bars: Vec<Bar>) -> Panel {
    bars.sort_by(|a, b| match unit {
        Unit::PerSecond => b.value.total_cmp(&a.value),
        Unit::Nanos | Unit::Kib => a.value.total_cmp(&b.value),
    });
    Panel { title, unit, bars }
}
