//! The page of results.

use std::fmt::{self, Write as _};

use crate::bars;
use crate::case::Case;
use crate::peers::Path;
use crate::results::Memory;

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

/// The part of the page on what was measured in memory.
pub fn memory(rows: &[Memory]) -> Result<String, fmt::Error> {
    let mut page = String::new();
    let of_case = |case: &Case| {
        let name = case.to_string();
        rows.iter()
            .filter(move |row| row.case == name)
            .collect::<Vec<_>>()
    };
    writeln!(page, "## In memory: the bars\n")?;
    writeln!(
        page,
        "| what | ours | ns | best peer | ns | ratio | wanted | |"
    )?;
    writeln!(page, "|---|---|---:|---|---:|---:|---:|---|")?;
    for case in Case::all() {
        let rows = of_case(&case);
        for bar in bars::memory(&case) {
            let (Some(ours), Some(best)) = (ours(&rows, bar.path), best_peer(&rows, bar.path))
            else {
                continue;
            };
            let ratio = best.nanos.median / ours.nanos.median;
            writeln!(
                page,
                "| {case} | {} | {} | {} | {} | {ratio:.2} | {:.2} | {} |",
                ours.name,
                nanos(ours.nanos.median),
                best.name,
                nanos(best.nanos.median),
                bar.ratio,
                if ratio >= bar.ratio {
                    "met"
                } else {
                    "**not met**"
                },
            )?;
        }
    }
    writeln!(page, "\n## In memory: the rows that we lose\n")?;
    writeln!(page, "| what | ours | ns | best peer | ns | ratio |")?;
    writeln!(page, "|---|---|---:|---|---:|---:|")?;
    for case in Case::all() {
        let rows = of_case(&case);
        for ours in rows.iter().filter(|row| is_ours(row)) {
            let Some(best) = best_peer(&rows, ours.path) else {
                continue;
            };
            let ratio = best.nanos.median / ours.nanos.median;
            if ratio < 1.0 {
                writeln!(
                    page,
                    "| {case} | {} | {} | {} | {} | {ratio:.2} |",
                    ours.name,
                    nanos(ours.nanos.median),
                    best.name,
                    nanos(best.nanos.median),
                )?;
            }
        }
    }
    writeln!(page, "\n## In memory: all rows\n")?;
    for case in Case::all() {
        let mut rows = of_case(&case);
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
    Ok(page)
}

/// Three digits, or all before the point.
fn nanos(nanos: f64) -> String {
    match nanos {
        nanos if nanos < 100.0 => format!("{nanos:.1}"),
        nanos => format!("{nanos:.0}"),
    }
}
