//! What is written from the results.

use std::{fs, io};

use crate::case::Case;
use crate::peers::Path;
use crate::results::{Memory, Results};

mod over_tcp;
mod page;
mod plots;
mod short;
mod svg;

/// Writes everything below the project's root, but only when no part is missing.
pub fn write(results: &Results, root: &str) -> io::Result<()> {
    if results.memory.is_empty() || results.tcp.is_empty() || results.idle.is_empty() {
        return Err(io::Error::other(
            "nothing is written until all has been measured once",
        ));
    }
    let plots = plots::all(results);
    fs::create_dir_all(format!("{root}/docs/plots"))?;
    for (name, plot) in &plots {
        let svg = plot.to_svg().map_err(io::Error::other)?;
        fs::write(format!("{root}/docs/plots/{name}.svg"), svg)?;
    }
    let table = short::table(results).map_err(io::Error::other)?;
    short::put(&format!("{root}/README.md"), &table)?;
    let page = page::page(results, &table, &plots).map_err(io::Error::other)?;
    fs::write(format!("{root}/benches/peers/RESULTS.md"), page)
}

/// Of ours, the ones whose name says so; the rest are peers.
fn is_ours(row: &Memory) -> bool {
    row.name.starts_with("sansocket")
}

fn is_peer(row: &Memory) -> bool {
    !is_ours(row) && row.path != Path::Floor
}

/// The fastest peer that one of our ways is held against.
fn best_peer<'a>(rows: &[&'a Memory], path: Path) -> Option<&'a Memory> {
    let peers = rows.iter().copied().filter(|row| is_peer(row));
    let peers = peers.filter(|row| path != Path::Owned || row.path == Path::Owned);
    peers.min_by(|a, b| a.nanos.median.total_cmp(&b.nanos.median))
}

fn of_case<'a>(rows: &'a [Memory], case: &Case) -> Vec<&'a Memory> {
    let name = case.to_string();
    rows.iter().filter(|row| row.case == name).collect()
}

/// Something of ours beside the best of what it is held against.
#[derive(Debug)]
struct Held {
    what: String,
    ours: String,
    our_value: String,
    best: String,
    best_value: String,
    /// How many times as good ours is.
    ratio: f64,
}

impl Held {
    fn in_memory(case: &Case, ours: &Memory, best: &Memory) -> Self {
        Self {
            what: case.to_string(),
            ours: ours.name.clone(),
            our_value: format!("{} ns", nanos(ours.nanos.median)),
            best: best.name.clone(),
            best_value: format!("{} ns", nanos(best.nanos.median)),
            ratio: best.nanos.median / ours.nanos.median,
        }
    }

    /// Its cells of a table, without the last border.
    fn cells(&self) -> String {
        let Self {
            what,
            ours,
            our_value,
            best,
            best_value,
            ..
        } = self;
        let ratio = ratio(self.ratio);
        format!("| {what} | {ours} | {our_value} | {best} | {best_value} | {ratio} ")
    }
}

/// Three digits, or all before the point.
fn nanos(nanos: f64) -> String {
    match nanos {
        nanos if nanos < 100.0 => format!("{nanos:.1}"),
        nanos => format!("{nanos:.0}"),
    }
}

/// Cut off, not rounded: what is below 1 never looks like 1.
fn ratio(ratio: f64) -> String {
    // Two digits behind the point, or behind its zeros.
    let zeros = (-ratio.log10()).floor().clamp(0.0, 9.0);
    let digits = 2 + zeros as usize;
    let scale = 10_f64.powi(digits as i32);
    format!("{:.digits$}", (ratio * scale).floor() / scale)
}
