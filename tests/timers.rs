//! Deadlines, under a fake clock.

mod common;

use std::time::Duration;

use common::pair::Pair;
use common::*;
use proptest::prelude::*;
use sansocket::frame::Opcode;
use sansocket::{CloseCode, CloseOutcome, Config, State, Timeout, Timestamp};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn at(n: u64) -> Timestamp {
    seconds(n).into()
}

fn opcodes(bytes: &[u8]) -> Vec<Opcode> {
    let frames = frames(bytes).into_iter();
    frames.map(|(header, _)| header.opcode).collect()
}

#[test]
fn without_deadlines_nothing_is_due() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        assert_eq!(endpoint.connection.poll_timeout(), None);
        endpoint.connection.handle_timeout(at(1_000_000_000));
        assert_eq!(endpoint.connection.poll_timeout(), None);
        assert_eq!((endpoint.state(), endpoint.output()), (State::Open, vec![]));
    }
}

#[test]
fn the_close_deadline_runs_while_nothing_is_transmitted() {
    for closer in SIDES {
        let mut pair = Pair::new(Config::new(), Config::new());
        pair.stall(true);
        let endpoint = match closer {
            Side::Client => &mut pair.client,
            Side::Server => &mut pair.server,
        };
        endpoint.connection.close(CloseCode::NORMAL).unwrap();
        assert_eq!(endpoint.connection.poll_timeout(), Some(Timestamp::ZERO));
        pair.wait(Duration::from_millis(4_999));
        assert!(matches!(
            pair.states(),
            (State::Closing, State::Open) | (State::Open, State::Closing)
        ));
        pair.wait(Duration::from_millis(1));
        let endpoint = match closer {
            Side::Client => &pair.client,
            Side::Server => &pair.server,
        };
        let outcome = CloseOutcome::TimedOut(Timeout::Close);
        assert_eq!(endpoint.outcome(), Some(&outcome));
        assert_eq!((outcome.code(), outcome.is_clean()), (1006, false));
        assert_eq!(endpoint.state(), State::Closed);
        assert!(endpoint.connection.wants_shutdown());
        assert!(!endpoint.connection.wants_read());
        assert_eq!(endpoint.connection.poll_timeout(), None);
    }
}

#[test]
fn a_client_waits_for_the_server_to_end_the_transport_but_not_for_ever() {
    let side = Side::Client;
    let mut client = side.endpoint(Config::new().close_timeout(seconds(3)));
    client.feed(&side.close(1000, ""));
    client.output();
    let connection = &mut client.connection;
    connection.handle_timeout(at(10));
    assert_eq!(connection.poll_timeout(), Some(at(13)));
    assert!(!connection.wants_shutdown());
    assert!(connection.wants_read(), "to see the end");
    connection.handle_timeout(at(12));
    assert_eq!(connection.state(), State::Draining);
    connection.handle_timeout(at(13));
    assert_eq!(connection.state(), State::Closed);
    assert!(connection.wants_shutdown());
    let outcome = connection.outcome().unwrap();
    assert_eq!(outcome.code(), 1000, "a clean close stays one");
}

#[test]
fn a_failed_connection_reads_on_to_the_close_deadline_only() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        endpoint.feed(&side.frame(Opcode::Continuation, true, b""));
        endpoint.connection.handle_timeout(at(1));
        assert!(endpoint.connection.wants_read());
        endpoint.connection.handle_timeout(at(6));
        assert!(!endpoint.connection.wants_read());
        assert_eq!(endpoint.state(), State::Closed);
        let failed = CloseOutcome::Failed(endpoint.error.unwrap());
        assert_eq!(endpoint.outcome(), Some(&failed));
    }
}

#[test]
fn an_answered_close_needs_no_deadline() {
    let mut pair = Pair::new(Config::new(), Config::new());
    pair.server.connection.close(CloseCode::NORMAL).unwrap();
    pair.run();
    pair.wait(seconds(60));
    assert!(pair.client.outcome().unwrap().is_clean());
    assert!(pair.server.outcome().unwrap().is_clean());
}

#[test]
fn an_idle_connection_is_closed_with_1001() {
    let server = Config::new().idle_timeout(seconds(30));
    let mut pair = Pair::new(Config::new(), server);
    pair.wait(seconds(29));
    // Receiving counts, sending does not.
    pair.client.connection.send_text("awake").unwrap();
    pair.wait(seconds(20));
    pair.server.connection.send_text("are you?").unwrap();
    pair.wait(seconds(9));
    assert_eq!(pair.states(), (State::Open, State::Open));
    pair.wait(seconds(2));
    assert_eq!(pair.states(), (State::Closed, State::Closed));
    assert_eq!(pair.client.outcome().unwrap().code(), 1001);
    assert!(pair.server.outcome().unwrap().is_clean());
}

#[test]
fn what_was_received_before_a_late_call_counts_against_being_idle() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new().idle_timeout(seconds(30)));
        endpoint.connection.handle_timeout(at(0));
        endpoint.feed(&side.text("awake"));
        endpoint.connection.handle_timeout(at(31));
        assert_eq!(endpoint.state(), State::Open);
        assert_eq!(endpoint.connection.poll_timeout(), Some(at(61)));
    }
}

#[test]
fn a_message_that_arrives_slowly_keeps_a_connection_from_being_idle() {
    for side in SIDES {
        for delivery in DELIVERIES {
            let config = Config::new().delivery(delivery).idle_timeout(seconds(10));
            let mut endpoint = side.endpoint(config);
            let bytes = side.binary(&data(50));
            endpoint.feed(&bytes[..8]);
            for (now, byte) in (0..).step_by(9).zip(&bytes[8..]) {
                endpoint.connection.handle_timeout(at(now));
                endpoint.feed(&[*byte]);
            }
            assert_eq!(endpoint.state(), State::Open);
            let expected = Seen::binary(&data(50)).delivered(delivery);
            assert_eq!(endpoint.seen, [expected]);
        }
    }
}

#[test]
fn keep_alive_pings_at_its_interval_and_measures_the_round_trip() {
    for side in SIDES {
        let config = Config::new().keep_alive(seconds(30), seconds(10));
        let mut endpoint = side.endpoint(config);
        assert_eq!(endpoint.connection.poll_timeout(), Some(Timestamp::ZERO));
        endpoint.connection.handle_timeout(at(100));
        assert_eq!(endpoint.connection.poll_timeout(), Some(at(130)));
        endpoint.connection.handle_timeout(at(129));
        assert_eq!(endpoint.output(), b"");
        endpoint.connection.handle_timeout(at(130));
        let sent = frames(&endpoint.output());
        assert_eq!((sent.len(), sent[0].0.opcode), (1, Opcode::Ping));
        assert_eq!(endpoint.connection.poll_timeout(), Some(at(140)));
        assert_eq!(endpoint.connection.round_trip(), None);

        endpoint.feed(&side.frame(Opcode::Pong, true, &sent[0].1));
        endpoint.connection.handle_timeout(at(132));
        assert_eq!(endpoint.connection.round_trip(), Some(seconds(2)));
        assert_eq!(endpoint.connection.poll_timeout(), Some(at(162)));
        endpoint.connection.handle_timeout(at(162));
        let next = frames(&endpoint.output());
        assert_eq!(next[0].0.opcode, Opcode::Ping);
        assert_ne!(next[0].1, sent[0].1, "pings can be told apart");
    }
}

#[test]
fn keep_alive_holds_a_quiet_connection_open_at_both_sides() {
    let config = Config::new()
        .keep_alive(seconds(20), seconds(5))
        .idle_timeout(seconds(30));
    let mut pair = Pair::new(config.clone(), config);
    pair.wait(seconds(3600));
    assert_eq!(pair.states(), (State::Open, State::Open));
    assert_eq!(pair.client.connection.round_trip(), Some(Duration::ZERO));
}

#[test]
fn a_missing_pong_ends_the_connection() {
    for side in SIDES {
        let config = Config::new().keep_alive(seconds(30), seconds(10));
        let mut endpoint = side.endpoint(config);
        endpoint.connection.handle_timeout(at(0));
        endpoint.connection.handle_timeout(at(30));
        endpoint.connection.handle_timeout(at(39));
        assert_eq!(endpoint.state(), State::Open);
        endpoint.connection.handle_timeout(at(40));
        let outcome = CloseOutcome::TimedOut(Timeout::Pong);
        assert_eq!((endpoint.outcome(), outcome.code()), (Some(&outcome), 1006));
        assert_eq!(opcodes(&endpoint.output()), [Opcode::Ping, Opcode::Close]);
        assert!(endpoint.connection.wants_shutdown(), "no peer to wait for");
    }
}

#[test]
fn so_many_pings_as_are_tolerated_may_go_unanswered() {
    for side in SIDES {
        let config = Config::new()
            .keep_alive_misses(2)
            .keep_alive(seconds(30), seconds(10));
        let mut endpoint = side.endpoint(config);
        let mut sent = Vec::new();
        for now in [0, 30, 40, 50] {
            endpoint.connection.handle_timeout(at(now));
            sent.extend(frames(&endpoint.output()));
        }
        assert_eq!(sent.len(), 3, "each miss sends the next");
        // The last one is answered: misses are counted anew.
        endpoint.feed(&side.frame(Opcode::Pong, true, &sent[2].1));
        endpoint.connection.handle_timeout(at(53));
        assert_eq!(endpoint.connection.round_trip(), Some(seconds(3)));
        for now in [83, 93, 103] {
            endpoint.connection.handle_timeout(at(now));
            assert_eq!(opcodes(&endpoint.output()), [Opcode::Ping]);
        }
        endpoint.connection.handle_timeout(at(112));
        assert_eq!(endpoint.state(), State::Open);
        endpoint.connection.handle_timeout(at(113));
        let outcome = CloseOutcome::TimedOut(Timeout::Pong);
        assert_eq!(endpoint.outcome(), Some(&outcome));
        assert_eq!(opcodes(&endpoint.output()), [Opcode::Close]);
    }
}

#[test]
fn anything_received_ends_a_row_of_misses() {
    for side in SIDES {
        let config = Config::new()
            .keep_alive(seconds(30), seconds(10))
            .keep_alive_misses(1);
        let mut endpoint = side.endpoint(config);
        for now in [0, 30, 40] {
            endpoint.connection.handle_timeout(at(now));
        }
        endpoint.feed(&side.text("alive"));
        for now in [49, 59] {
            endpoint.connection.handle_timeout(at(now));
            assert_eq!(endpoint.state(), State::Open);
        }
        endpoint.connection.handle_timeout(at(69));
        assert_eq!(
            endpoint.outcome(),
            Some(&CloseOutcome::TimedOut(Timeout::Pong))
        );
    }
}

#[test]
fn a_ping_that_cannot_leave_is_not_joined_by_others() {
    let config = Config::new()
        .keep_alive(seconds(30), seconds(10))
        .keep_alive_misses(3);
    let mut pair = Pair::new(Config::new(), config);
    pair.stall(true);
    pair.wait(seconds(69));
    assert_eq!(pair.server.state(), State::Open);
    assert_eq!(pair.server.connection.queued(), 10, "one ping");
    pair.wait(seconds(1));
    assert_eq!(
        pair.server.outcome(),
        Some(&CloseOutcome::TimedOut(Timeout::Pong))
    );
}

#[test]
fn the_smoothed_round_trip_follows_slowly() {
    let config = Config::new().keep_alive(seconds(30), seconds(20));
    let mut endpoint = Side::Server.endpoint(config);
    endpoint.connection.handle_timeout(at(0));
    let mut now = 0;
    let mut measured = Vec::new();
    for round_trip in [8, 16, 0] {
        now += 30;
        endpoint.connection.handle_timeout(at(now));
        let ping = frames(&endpoint.output());
        endpoint.feed(&Side::Server.frame(Opcode::Pong, true, &ping[0].1));
        now += round_trip;
        endpoint.connection.handle_timeout(at(now));
        let connection = &endpoint.connection;
        assert_eq!(connection.round_trip(), Some(seconds(round_trip)));
        measured.push(connection.smoothed_round_trip().unwrap().as_millis());
    }
    assert_eq!(measured, [8_000, 9_000, 7_875]);
}

#[test]
fn a_dead_link_is_noticed_though_the_ping_never_left() {
    let config = Config::new().keep_alive(seconds(30), seconds(10));
    let mut pair = Pair::new(Config::new(), config);
    pair.stall(true);
    pair.wait(seconds(40));
    let outcome = CloseOutcome::TimedOut(Timeout::Pong);
    assert_eq!(pair.server.outcome(), Some(&outcome));
    assert!(
        !pair.server.connection.wants_shutdown(),
        "the Close frame waits"
    );
    pair.wait(seconds(5));
    assert!(pair.server.connection.wants_shutdown(), "but not for ever");
    assert_eq!(pair.server.state(), State::Closed);
    assert_eq!(pair.server.outcome(), Some(&outcome));
}

#[test]
fn whatever_is_received_postpones_the_pong_deadline_but_is_no_round_trip() {
    for side in SIDES {
        let config = Config::new().keep_alive(seconds(30), seconds(10));
        let mut endpoint = side.endpoint(config);
        endpoint.connection.handle_timeout(at(0));
        endpoint.connection.handle_timeout(at(30));
        let large = side.binary(&data(1000));
        for (now, piece) in (38..).step_by(8).zip(large.chunks(100)) {
            endpoint.feed(piece);
            endpoint.connection.handle_timeout(at(now));
        }
        endpoint.feed(&side.frame(Opcode::Pong, true, b"another's"));
        endpoint.connection.handle_timeout(at(130));
        assert_eq!(endpoint.state(), State::Open);
        assert_eq!(endpoint.connection.round_trip(), None);
        assert_eq!(opcodes(&endpoint.output()), [Opcode::Ping], "one at a time");
    }
}

#[test]
fn time_that_runs_backwards_or_to_its_end_does_no_harm() {
    let longest = Duration::MAX;
    for side in SIDES {
        for wait in [Duration::ZERO, seconds(1), longest] {
            let config = Config::new()
                .keep_alive(wait, wait)
                .idle_timeout(wait)
                .close_timeout(wait);
            let mut endpoint = side.endpoint(config);
            for now in [seconds(50), seconds(20), Duration::ZERO, longest, longest] {
                endpoint.connection.handle_timeout(now.into());
                endpoint.feed(&side.ping(b""));
            }
            let _ = endpoint.connection.close(None);
            endpoint.connection.handle_timeout(longest.into());
            endpoint.connection.handle_timeout(longest.into());
            assert_ne!(endpoint.state(), State::Open);
        }
    }
}

/// What may happen between two calls of `handle_timeout`.
#[derive(Debug, Clone)]
enum Happening {
    Ping,
    Half,
    Answer,
    Violation,
    Close,
    PeerCloses,
    Eof,
    Transmit,
    Nothing,
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        4 => Just(Ping),
        2 => Just(Half),
        4 => Just(Answer),
        1 => Just(Violation),
        1 => Just(Close),
        1 => Just(PeerCloses),
        1 => Just(Eof),
        4 => Just(Transmit),
        8 => Just(Nothing),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_deadline_stays_due(
        side in prop::sample::select(&SIDES[..]),
        waits in any::<[Option<u8>; 3]>(),
        steps in prop::collection::vec((happening(), 0..100_u64), 1..40),
    ) {
        let [close, idle, keep_alive] = waits.map(|wait| wait.map(|s| seconds(u64::from(s) % 60)));
        let mut config = Config::new().close_timeout(close.unwrap_or(seconds(5)));
        if let Some(idle) = idle {
            config = config.idle_timeout(idle);
        }
        if let Some(interval) = keep_alive {
            config = config.keep_alive(interval, interval / 2);
        }
        let mut endpoint = side.endpoint(config);
        let (mut now, mut last_ping) = (0, Vec::new());
        for (happening, wait) in steps {
            match happening {
                Happening::Ping => endpoint.feed(&side.ping(b"?")),
                Happening::Half => endpoint.feed(&side.frame(Opcode::Binary, false, b"half")),
                Happening::Answer => endpoint.feed(&side.frame(Opcode::Pong, true, &last_ping)),
                Happening::Violation => endpoint.feed(&[0x83]),
                Happening::Close => drop(endpoint.connection.close(None)),
                Happening::PeerCloses => endpoint.feed(&side.close(1000, "")),
                Happening::Eof => endpoint.connection.receive_eof(),
                Happening::Transmit => {
                    for (header, payload) in complete_frames(&endpoint.output()).0 {
                        if header.opcode == Opcode::Ping {
                            last_ping = payload;
                        }
                    }
                }
                Happening::Nothing => {}
            }
            now += wait;
            let mut calls = 0;
            loop {
                endpoint.connection.handle_timeout(at(now));
                match endpoint.connection.poll_timeout() {
                    Some(next) if next <= at(now) => calls += 1,
                    _ => break,
                }
                // Deadlines of zero fall due one after the other, and then no more.
                prop_assert!(calls < 5, "{:?} stays due", endpoint.connection.poll_timeout());
            }
        }
    }
}
