//! Futures of the async adapters may be dropped at any wait: nothing is lost, doubled or reordered.
//!
//! A conversation is held without a drop, then with drops at all places, each call begun again as
//! its page says: both sides have to see the same, and the same bytes have to be written.
#![cfg(all(feature = "futures-io", feature = "std"))]

#[path = "../common/mod.rs"]
mod common;
mod halves;
mod run;
mod script;

use std::cell::Cell;

use common::SIDES;
use common::stalling::{Drops, Pace};
use run::{Report, Setup, run};
use sansocket::Delivery;
use script::{ENDS, End, Step, conversation, messages};

/// Both roles, in one piece and in halves, with and without compression.
fn setups() -> impl Iterator<Item = Setup> {
    let deflate: &[bool] = if cfg!(feature = "deflate") {
        &[false, true]
    } else {
        &[false]
    };
    let each = |side, in_halves, deflate| Setup {
        in_halves,
        deflate,
        reads: Pace::cycle(&[0, 1, 0, 150, 0, 300]),
        writes: Pace::cycle(&[0, 100, 0, 1, 0, 250, 0, 50]),
        source: 1500,
        write_limit: 5000,
        ..Setup::of(side)
    };
    SIDES.into_iter().flat_map(move |side| {
        [false, true].into_iter().flat_map(move |in_halves| {
            deflate
                .iter()
                .map(move |deflate| each(side, in_halves, *deflate))
        })
    })
}

/// Without a drop.
fn run_whole(setup: &Setup, steps: &[Step]) -> Report {
    let whole = run(setup, steps, &Drops::Never);
    if setup.write_fails_at == usize::MAX && setup.read_fails_at == usize::MAX {
        let expected = messages(steps, setup.source, setup.in_halves);
        whole.transcript.assert_messages(&expected);
    }
    whole
}

/// Drops at each wait in turn, and gives how many that were.
fn drop_at_each_wait(setup: &Setup, large: usize, end: End) -> usize {
    let steps = conversation(large, end);
    let whole = run_whole(setup, &steps);
    for at in 0..whole.waits {
        let report = run(setup, &steps, &Drops::At(at));
        let what = (setup, end, at);
        report.transcript.assert_same(&whole.transcript, what);
        assert_eq!(report.drops, 1);
    }
    whole.waits
}

/// Drops at all waits together, then at half of them by chance; gives how many that were.
fn drop_at_many_waits(setup: &Setup, large: usize, end: End) -> usize {
    let steps = conversation(large, end);
    let whole = run_whole(setup, &steps);
    let always = run(setup, &steps, &Drops::Always);
    let what = (setup, end);
    always.transcript.assert_same(&whole.transcript, what);
    assert!(always.drops >= whole.waits / 2);
    let mut drops = always.drops;
    for seed in 1..4 {
        let cell = Cell::new(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let report = run(setup, &steps, &Drops::Seeded(&cell));
        report
            .transcript
            .assert_same(&whole.transcript, (what, seed));
        drops += report.drops;
    }
    drops
}

#[test]
fn a_future_dropped_at_any_one_wait_changes_nothing() {
    let mut drops = 0;
    for setup in setups() {
        // How it ends and whether it is compressed have little to do with each other.
        let ends = if setup.deflate { &ENDS[..1] } else { &ENDS };
        for end in ends {
            drops += drop_at_each_wait(&setup, 9000, *end);
        }
    }
    println!("dropped at {drops} places");
    assert!(drops >= 5000, "{drops}");
}

#[test]
fn futures_dropped_at_all_waits_change_nothing() {
    let paces = [&[0, 1][..], &[0, 100], &[0, 1000, 1], &[0, usize::MAX]];
    let mut drops = 0;
    for setup in setups() {
        for pace in paces {
            let setup = Setup {
                reads: Pace::cycle(pace),
                writes: Pace::cycle(pace),
                ..setup.clone()
            };
            drops += drop_at_many_waits(&setup, 400, End::PeerCloses);
        }
    }
    println!("dropped at {drops} places");
    assert!(drops >= 5000, "{drops}");
}

#[test]
fn large_messages_and_drops_by_chance_do_not_mix_badly() {
    let mut drops = 0;
    for (seed, setup) in (1..).zip(setups()) {
        let setup = Setup {
            reads: Pace::Seeded(seed * 77_777),
            writes: Pace::Seeded(seed * 99_999),
            source: 40_000,
            write_limit: 30_000,
            ..setup
        };
        drops += drop_at_many_waits(&setup, 70_000, End::WeClose);
    }
    println!("dropped at {drops} places");
    assert!(drops >= 1000, "{drops}");
}

#[test]
fn messages_are_delivered_in_the_same_chunks_through_drops() {
    for setup in setups() {
        let setup = Setup {
            delivery: Delivery::Chunks,
            ..setup
        };
        drop_at_each_wait(&setup, 2000, End::PeerCloses);
        drop_at_many_waits(&setup, 17_000, End::WeClose);
    }
}

#[test]
fn a_stream_that_fails_does_so_the_same_through_drops() {
    for setup in setups() {
        for at in [0, 1, 500, 1800, 3000] {
            let writes = Setup {
                write_fails_at: at,
                ..setup.clone()
            };
            drop_at_each_wait(&writes, 2000, End::PeerCloses);
            let reads = Setup {
                read_fails_at: at,
                ..setup.clone()
            };
            drop_at_each_wait(&reads, 2000, End::PeerCloses);
        }
    }
}
