//! The page of results.

use std::fmt::{self, Write as _};

use crate::bars;
use crate::case::Case;
use crate::peers::Path;
use crate::results::{Idle, Memory, Tcp};

mod over_tcp;

/// Of ours, the ones whose name says so; the rest are peers.
fn is_ours(row: &Memory) -> bool {
    row.name.starts_with("sansocket")
}

fn is_peer(row: &Memory) -> bool {
    !is_ours(row) && row.path != Path::Floor
}

/// The fastest peer that one of our ways is held against.
fn best_peer(rows: &[&Memory], path: Path) -> Option<Memory> {
    let peers = rows.iter().filter(|row| is_peer(row));
    let peers = peers.filter(|row| path != Path::Owned || row.path == Path::Owned);
    let best = peers.min_by(|a, b| a.nanos.median.total_cmp(&b.nanos.median))?;
    Some((*best).clone())
}

/// The fastest of ours that goes this way.
fn ours<'a>(rows: &[&'a Memory], path: Path) -> Option<&'a Memory> {
    let ours = rows.iter().filter(|row| is_ours(row) && row.path == path);
    ours.min_by(|a, b| a.nanos.median.total_cmp(&b.nanos.median))
        .copied()
}

/// A bar, and what came of it.
struct Verdict {
    what: String,
    ours: String,
    our_value: String,
    best: String,
    best_value: String,
    ratio: f64,
    wanted: f64,
}

pub fn page(memory: &[Memory], tcp: &[Tcp], idle: &[Idle]) -> Result<String, fmt::Error> {
    let verdicts: Vec<Verdict> = Case::all()
        .iter()
        .flat_map(|case| verdicts(case, &of_case(memory, case)))
        .chain(over_tcp::verdicts(tcp, idle))
        .collect();
    let mut page = String::new();
    let met = verdicts
        .iter()
        .filter(|verdict| verdict.ratio >= verdict.wanted)
        .count();
    writeln!(page, "## The bars: {met} of {} met\n", verdicts.len())?;
    writeln!(
        page,
        "Ratios are ours to the best peer's; more is better.\n"
    )?;
    writeln!(
        page,
        "| what | ours | | held against | | ratio | wanted | |"
    )?;
    writeln!(page, "|---|---|---:|---|---:|---:|---:|---|")?;
    for verdict in &verdicts {
        let Verdict {
            what,
            ours,
            our_value,
            best,
            best_value,
            ratio,
            wanted,
        } = verdict;
        let result = if ratio >= wanted {
            "met"
        } else {
            "**not met**"
        };
        writeln!(
            page,
            "| {what} | {ours} | {our_value} | {best} | {best_value} | {ratio:.2} | {wanted:.2} | {result} |",
        )?;
    }
    allocating(&mut page, memory)?;
    lost(&mut page, memory)?;
    over_tcp::tables(&mut page, tcp, idle)?;
    rows_in_memory(&mut page, memory)?;
    Ok(page)
}

fn of_case<'a>(rows: &'a [Memory], case: &Case) -> Vec<&'a Memory> {
    let name = case.to_string();
    rows.iter().filter(|row| row.case == name).collect()
}

fn verdicts(case: &Case, rows: &[&Memory]) -> Vec<Verdict> {
    let verdict = |bar: bars::Bar| {
        let (ours, best) = (ours(rows, bar.path)?, best_peer(rows, bar.path)?);
        Some(Verdict {
            what: case.to_string(),
            ours: ours.name.clone(),
            our_value: format!("{} ns", nanos(ours.nanos.median)),
            ratio: best.nanos.median / ours.nanos.median,
            best_value: format!("{} ns", nanos(best.nanos.median)),
            best: best.name,
            wanted: bar.ratio,
        })
    };
    bars::memory(case).into_iter().filter_map(verdict).collect()
}

/// Of the ways that own nothing, the rows that allocate.
fn allocating(page: &mut String, rows: &[Memory]) -> fmt::Result {
    let lent = || {
        rows.iter()
            .filter(|row| is_ours(row) && row.path != Path::Owned)
    };
    let allocates = |row: &&Memory| row.allocations >= 0.005;
    let (count, all) = (lent().filter(allocates).count(), lent().count());
    writeln!(
        page,
        "\n## Allocations in the steady state: {} of {all} rows have none\n",
        all - count
    )?;
    writeln!(page, "Of *sync* and *lent* rows, these have some:\n")?;
    writeln!(page, "| what | ours | allocations a message | bytes |")?;
    writeln!(page, "|---|---|---:|---:|")?;
    for row in lent().filter(allocates) {
        let Memory {
            case,
            name,
            allocations,
            bytes,
            ..
        } = row;
        writeln!(page, "| {case} | {name} | {allocations:.2} | {bytes:.0} |")?;
    }
    Ok(())
}

/// The rows of ours that are slower than the best of what they are held against.
fn lost(page: &mut String, rows: &[Memory]) -> fmt::Result {
    writeln!(page, "\n## In memory: the rows that we lose\n")?;
    writeln!(page, "| what | ours | ns | best peer | ns | ratio |")?;
    writeln!(page, "|---|---|---:|---|---:|---:|")?;
    for case in Case::all() {
        let rows = of_case(rows, &case);
        for ours in rows.iter().filter(|row| is_ours(row)) {
            let Some(best) = best_peer(&rows, ours.path) else {
                continue;
            };
            let ratio = best.nanos.median / ours.nanos.median;
            if ratio < 1.0 {
                let (name, best_name) = (&ours.name, &best.name);
                let (ours, best) = (nanos(ours.nanos.median), nanos(best.nanos.median));
                writeln!(
                    page,
                    "| {case} | {name} | {ours} | {best_name} | {best} | {ratio:.2} |"
                )?;
            }
        }
    }
    Ok(())
}

fn rows_in_memory(page: &mut String, rows: &[Memory]) -> fmt::Result {
    writeln!(page, "\n## In memory: all rows\n")?;
    for case in Case::all() {
        let mut rows = of_case(rows, &case);
        if rows.is_empty() {
            continue;
        }
        rows.sort_by(|a, b| a.nanos.median.total_cmp(&b.nanos.median));
        let best = best_peer(&rows, Path::Sync).map(|best| best.nanos.median);
        writeln!(page, "### {case}\n")?;
        writeln!(
            page,
            "| | ns a message | quartiles | to the best peer | allocations | bytes |"
        )?;
        writeln!(page, "|---|---:|---:|---:|---:|---:|")?;
        for row in rows {
            let ratio = best.map_or(String::new(), |best| {
                format!("{:.2}", best / row.nanos.median)
            });
            let name = match is_ours(row) {
                true => format!("**{}**", row.name),
                false if row.path == Path::Floor => format!("*{}*", row.name),
                false => row.name.clone(),
            };
            writeln!(
                page,
                "| {name} | {} | {}–{} | {ratio} | {:.2} | {:.0} |",
                nanos(row.nanos.median),
                nanos(row.nanos.low),
                nanos(row.nanos.high),
                row.allocations,
                row.bytes,
            )?;
        }
        writeln!(page)?;
    }
    Ok(())
}

/// Three digits, or all before the point.
fn nanos(nanos: f64) -> String {
    match nanos {
        nanos if nanos < 100.0 => format!("{nanos:.1}"),
        nanos => format!("{nanos:.0}"),
    }
}
