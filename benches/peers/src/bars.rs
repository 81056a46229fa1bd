//! What we want to reach: for each case, how many times as fast as the best peer.

use crate::case::{Action, Case, Kind, Role};
use crate::peers::Path;

/// A ratio to reach by one of our ways.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    pub path: Path,
    pub ratio: f64,
}

/// The bars of a case in memory. An owned way is held against the owned ways of the peers, the others
/// against all.
pub fn memory(case: &Case) -> Vec<Bar> {
    let bar = |path, ratios: [f64; 6]| {
        let sizes = crate::case::SIZES.iter().zip(ratios);
        let (_, ratio) = sizes.min_by_key(|(size, _)| size.abs_diff(case.size))?;
        (ratio > 0.0).then_some(Bar { path, ratio })
    };
    let large = |path, ratio| bar(path, [ratio; 6]);
    let bars = match (case.action, case.kind) {
        (Action::Receive, Kind::Binary) => vec![
            bar(Path::Sync, [4.0, 3.0, 1.25, 0.95, 0.95, 1.0]),
            bar(Path::Lent, [2.5, 2.5, 1.15, 0.95, 0.95, 1.0]),
            bar(Path::Owned, [1.2, 1.2, 1.2, 0.95, 0.95, 0.95]),
        ],
        (Action::Receive, _) => vec![bar(Path::Sync, [0.0, 1.8, 1.2, 0.0, 0.95, 0.0])],
        (Action::Send, _) => vec![
            large(Path::Sync, 1.0),
            large(Path::Lent, 1.0),
            large(Path::Owned, 1.0),
        ],
        (Action::SendBatch, _) => vec![bar(Path::Sync, [1.5, 1.5, 0.0, 0.0, 0.0, 0.0])],
        (Action::Echo, _) => vec![bar(Path::Sync, [3.0, 2.5, 1.4, 1.0, 1.0, 1.0])],
        (Action::Inflate | Action::Deflate, _) => vec![large(Path::Sync, 1.0)],
    };
    debug_assert!(case.role == Role::Server || case.action != Action::Echo);
    bars.into_iter().flatten().collect()
}
