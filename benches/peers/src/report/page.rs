//! The page of results.

use std::fmt::{self, Write as _};

use super::svg::Plot;
use super::{Held, best_peer, is_ours, nanos, of_case, over_tcp, ratio};
use crate::bars;
use crate::case::Case;
use crate::peers::Path;
use crate::results::{About, Memory, Results};

/// `short` is the table with the few rows that the README shows.
pub fn page(results: &Results, short: &str, plots: &[(&str, Plot)]) -> Result<String, fmt::Error> {
    let Results {
        about,
        memory,
        tcp,
        idle,
    } = results;
    let mut page = String::new();
    head(&mut page, about)?;
    write!(page, "\n## In short\n\n{short}")?;
    lost(&mut page, results)?;
    pictures(&mut page, plots)?;
    bars(&mut page, results)?;
    allocating(&mut page, memory)?;
    over_tcp::tables(&mut page, tcp, idle)?;
    rows_in_memory(&mut page, memory)?;
    Ok(page)
}

fn head(page: &mut String, about: &About) -> fmt::Result {
    write!(
        page,
        "\
# sansocket and its peers

Measured by `benches/peers/run` on a {}.
How, and what may be compared: [README.md](README.md).

| measured by | load of the machine before, over 1, 5 and 15 minutes |
|---|---|
",
        about.machine
    )?;
    for (command, load) in &about.runs {
        writeln!(page, "| `{command}` | {load} |")?;
    }
    writeln!(page, "\n| | version |\n|---|---|")?;
    for (name, version) in &about.versions {
        writeln!(page, "| {name} | {version} |")?;
    }
    writeln!(
        page,
        "
## How to read it

- Times are medians of the rounds, with their quartiles. Where the quartiles of two rows overlap, or
  their ratio is within some 5 % of 1, another run may put them the other way round. With other work on
  the machine, rates over TCP say little, and ratios of CPU time are rougher.
- A ratio says how many times as fast a row is as the best peer's; below 1 it is slower. Ratios are cut
  off, not rounded.
- *Best peer* is the best of all of them in that very case, not one of them throughout. Rows of ours
  whose messages are *owned* (to send: given away) are held against rows of peers whose messages are
  owned, the others against all. The last tables hold every row against all.
- sansocket is built with its feature `simd`, which is not among its defaults. Over TCP it answers from
  events that it lends; there, it is not held apart which peers lend.
- tungstenite and tokio-tungstenite have no compression. They keep their default read buffer of 128 KiB,
  which an application could make smaller: most of their memory is that, and they fill it with zeros
  before each read, so for each message over TCP that comes alone.
- *floor* is no library, and no bound for large messages: its loops are plain ones, which wide vectors
  outrun."
    )
}

/// All of ours beside the best peers, and the rows in which we are behind.
fn lost(page: &mut String, results: &Results) -> fmt::Result {
    let mut rows: Vec<Held> = Vec::new();
    for case in Case::all() {
        let of_case = of_case(&results.memory, &case);
        for ours in of_case.iter().filter(|row| is_ours(row)) {
            let best = best_peer(&of_case, ours.path);
            rows.extend(best.map(|best| Held::in_memory(&case, ours, best)));
        }
    }
    rows.extend(over_tcp::held(&results.tcp, &results.idle));
    let lost: Vec<&Held> = rows.iter().filter(|row| row.ratio < 1.0).collect();
    write!(
        page,
        "
## The rows that we lose

Of {} rows of ours, {} are worse than the best peer's.

| what | ours | | best peer | | ratio |
|---|---|---:|---|---:|---:|
",
        rows.len(),
        lost.len()
    )?;
    for row in lost {
        writeln!(page, "{}|", row.cells())?;
    }
    Ok(())
}

fn pictures(page: &mut String, plots: &[(&str, Plot)]) -> fmt::Result {
    writeln!(page, "\n## Plots")?;
    for (name, plot) in plots {
        let (title, words) = (&plot.title, plot.in_words());
        writeln!(page, "\n![{title}. {words}](../../docs/plots/{name}.svg)")?;
    }
    Ok(())
}

/// The fastest of ours that goes this way.
fn ours<'a>(rows: &[&'a Memory], path: Path) -> Option<&'a Memory> {
    let ours = rows.iter().copied();
    let ours = ours.filter(|row| is_ours(row) && row.path == path);
    ours.min_by(|a, b| a.nanos.median.total_cmp(&b.nanos.median))
}

/// What we want to reach, and what came of it.
fn bars(page: &mut String, results: &Results) -> fmt::Result {
    let mut verdicts: Vec<(Held, f64)> = Vec::new();
    for case in Case::all() {
        let rows = of_case(&results.memory, &case);
        for bar in bars::memory(&case) {
            if let (Some(ours), Some(best)) = (ours(&rows, bar.path), best_peer(&rows, bar.path)) {
                verdicts.push((Held::in_memory(&case, ours, best), bar.ratio));
            }
        }
    }
    verdicts.extend(over_tcp::verdicts(&results.tcp, &results.idle));
    let is_met = |(held, wanted): &&(Held, f64)| held.ratio >= *wanted;
    write!(
        page,
        "
## The bars: {} of {} met

What we want to reach. Of our two ways to receive owned messages, the faster is shown.

| what | ours | | held against | | ratio | wanted | |
|---|---|---:|---|---:|---:|---:|---|
",
        verdicts.iter().filter(is_met).count(),
        verdicts.len()
    )?;
    for verdict in &verdicts {
        let result = match is_met(&verdict) {
            true => "met",
            false => "**not met**",
        };
        let (held, wanted) = verdict;
        writeln!(page, "{}| {wanted:.2} | {result} |", held.cells())?;
    }
    Ok(())
}

/// Of the ways that own nothing, the rows that allocate.
fn allocating(page: &mut String, rows: &[Memory]) -> fmt::Result {
    let lent = || {
        rows.iter()
            .filter(|row| is_ours(row) && row.path != Path::Owned)
    };
    let allocates = |row: &&Memory| row.allocations >= 0.005;
    let (count, all) = (lent().filter(allocates).count(), lent().count());
    write!(
        page,
        "
## Allocations in the steady state: {} of {all} rows have none

Of *sync* and *lent* rows, these have some:

| what | ours | allocations a message | bytes |
|---|---|---:|---:|
",
        all - count
    )?;
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

fn rows_in_memory(page: &mut String, rows: &[Memory]) -> fmt::Result {
    writeln!(
        page,
        "
## In memory: all rows

Ours are **bold**; *slanted* ones are no WebSocket libraries. Ratios are to the best of all peers, for
*owned* rows too."
    )?;
    for case in Case::all() {
        let mut rows = of_case(rows, &case);
        if rows.is_empty() {
            continue;
        }
        rows.sort_by(|a, b| a.nanos.median.total_cmp(&b.nanos.median));
        let best = best_peer(&rows, Path::Sync).map(|best| best.nanos.median);
        write!(
            page,
            "
### {case}

| | messages | ns a message | quartiles | to the best peer | allocations | bytes |
|---|---|---:|---:|---:|---:|---:|
"
        )?;
        for row in rows {
            let ratio = best.map_or(String::new(), |best| ratio(best / row.nanos.median));
            let (name, path) = match row.path {
                _ if is_ours(row) && row.path == Path::Owned => {
                    (format!("**{}**", row.name), "owned")
                }
                _ if is_ours(row) => (format!("**{}**", row.name), "lent"),
                Path::Floor => (format!("*{}*", row.name), ""),
                Path::Owned => (row.name.clone(), "owned"),
                Path::Lent | Path::Sync => (row.name.clone(), "lent"),
            };
            writeln!(
                page,
                "| {name} | {path} | {} | {}–{} | {ratio} | {:.2} | {:.0} |",
                nanos(row.nanos.median),
                nanos(row.nanos.low),
                nanos(row.nanos.high),
                row.allocations,
                row.bytes,
            )?;
        }
    }
    Ok(())
}
