//! Abuse over real sockets: `examples/echo_server`, with each adapter, amid peers that are slow, silent,
//! greedy, broken or gone. Two well-behaved clients are served throughout, and afterwards the server has
//! no more memory, threads and file descriptors than before.
//!
//! `ABUSE_ROUNDS=N` makes it N times as long.

// What a process holds is read from /proc; Miri starts no processes.
#![cfg(all(
    target_os = "linux",
    feature = "futures-io",
    feature = "handshake",
    feature = "tokio",
    not(miri)
))]

#[path = "../common/mod.rs"]
mod common;
#[path = "../../examples/common/descriptors.rs"]
mod descriptors;
mod honest;
mod peers;
mod server;

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use honest::{come_and_go, converse};
use server::Server;

/// How long a well-behaved client may wait for anything. Its turn never comes after a deadline of
/// somebody else's: of these there are more than fit into this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// The server's deadlines, so that what ends by them ends soon.
const DEADLINES: [&str; 6] = [
    "--handshake-timeout",
    "2",
    "--ping-interval",
    "1",
    "--ping-timeout",
    "2",
];

const ABUSES: [fn(SocketAddr) -> Vec<TcpStream>; 10] = [
    peers::slow_heads,
    peers::slow_bodies,
    peers::half_open,
    peers::resets,
    peers::never_read,
    peers::stop_amid_a_frame,
    peers::flood_of_pings,
    peers::flood_of_empty_fragments,
    peers::random_heads,
    peers::random_frames,
];

fn rounds() -> usize {
    let rounds = std::env::var("ABUSE_ROUNDS");
    rounds.map_or(1, |rounds| rounds.parse().expect("a number"))
}

/// Runs all abuses at once; gives the connections that the peers have left as they were.
fn abuse(addr: SocketAddr) -> Vec<TcpStream> {
    thread::scope(|scope| {
        let peers: Vec<_> = ABUSES
            .iter()
            .map(|peer| scope.spawn(move || peer(addr)))
            .collect();
        let left = peers.into_iter().map(|peer| peer.join().unwrap());
        left.flatten().collect()
    })
}

fn withstands_abuse(adapter: &str) {
    descriptors::make_room(4000).unwrap();
    let options = [&DEADLINES[..], &["--max-connections", "4000"]].concat();
    let server = Server::start(adapter, &options);
    let addr = server.addr;
    let (is_over, is_ready) = (AtomicBool::new(false), AtomicBool::new(false));
    let (steady, left) = thread::scope(|scope| {
        let steady = scope.spawn(|| converse(addr, &is_ready));
        while !is_ready.load(Relaxed) && !steady.is_finished() {
            thread::sleep(Duration::from_millis(10));
        }
        let before = server.usage();
        for _ in 0..rounds() {
            let visitor = scope.spawn(|| come_and_go(addr, &is_over));
            let left = abuse(addr);
            is_over.store(true, Relaxed);
            let visits = visitor.join().unwrap();
            assert!(visits > 0, "no new client got in");
            is_over.store(false, Relaxed);
            println!(
                "{adapter}: {before:?} before, {:?} now, {visits} visits",
                server.usage()
            );
            // It lets go of peers that do nothing, although they are still there.
            server.settles_at(&before);
            println!("{adapter}: {:?} after", server.usage());
            drop(left);
        }
        // Those that are amid something are no reason not to end.
        let left = [
            peers::never_read(addr),
            peers::stop_amid_a_frame(addr),
            peers::half_open(addr),
        ];
        server.shut_down();
        (steady.join().unwrap(), left)
    });
    drop(left);
    println!("{adapter}: {steady:?}");
    assert!(steady.echoes >= 100, "{steady:?}");
    assert_eq!(steady.close_code, Some(1001), "{steady:?}");
}

#[test]
fn the_std_server_withstands_abuse() {
    withstands_abuse("std");
}

#[test]
fn the_tokio_server_withstands_abuse() {
    withstands_abuse("tokio");
}

#[test]
fn the_futures_io_server_withstands_abuse() {
    withstands_abuse("futures-io");
}

/// Connections beyond the limit get 503, those beyond even that nothing; who is in stays in, and when
/// others have left there is room again.
fn turns_away_who_is_too_many(adapter: &str) {
    const MOST: usize = 20;
    const ANSWERED: usize = 64;
    let options = [&DEADLINES[..], &["--max-connections", "20"]].concat();
    let server = Server::start(adapter, &options);
    let addr = server.addr;
    let is_ready = AtomicBool::new(false);
    let steady = thread::scope(|scope| {
        let steady = scope.spawn(|| converse(addr, &is_ready));
        while !is_ready.load(Relaxed) && !steady.is_finished() {
            thread::sleep(Duration::from_millis(10));
        }
        let before = server.usage();
        let within: Vec<_> = (1..MOST).map(|_| peers::opened(addr)).collect();
        // Each of these keeps its place while it is silent; then it asks.
        let beyond: Vec<_> = (0..ANSWERED).map(|_| peers::connect(addr)).collect();
        for _ in 0..100 {
            assert_eq!(
                peers::answer(peers::connect(addr)),
                "",
                "more than there is room for"
            );
        }
        for stream in beyond {
            let answer = peers::answer(stream);
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
        }
        drop(within);
        server.settles_at(&before);
        drop(peers::opened(addr));
        server.shut_down();
        steady.join().unwrap()
    });
    assert!(steady.echoes >= 10, "{steady:?}");
    assert_eq!(steady.close_code, Some(1001), "{steady:?}");
}

#[test]
fn the_std_server_turns_away_who_is_too_many() {
    turns_away_who_is_too_many("std");
}

#[test]
fn the_tokio_server_turns_away_who_is_too_many() {
    turns_away_who_is_too_many("tokio");
}

#[test]
fn the_futures_io_server_turns_away_who_is_too_many() {
    turns_away_who_is_too_many("futures-io");
}
