//! Signs of life by messages, in virtual time.
#![cfg(feature = "policy")]

use std::time::Duration;

use sansocket::policy::{Beat, Heartbeat};
use sansocket::{Message, Timestamp};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn at(n: u64) -> Timestamp {
    seconds(n).into()
}

fn ping(number: u64) -> Message {
    Message::from(format!("ping {number}"))
}

fn pong(number: u64) -> Message {
    Message::from(format!("pong {number}"))
}

/// Every 30 seconds, with 10 for the answer; begun at second 0.
fn heartbeat() -> Heartbeat<impl FnMut(u64) -> Message, impl FnMut(&Message, u64) -> bool> {
    let is_answer = |message: &Message, number| *message == pong(number);
    let mut heartbeat = Heartbeat::new(seconds(30), seconds(10), ping, is_answer);
    assert_eq!(heartbeat.poll_timeout(), Timestamp::ZERO);
    assert_eq!(heartbeat.handle_timeout(at(0)), None);
    heartbeat
}

#[test]
fn a_peer_that_answers_is_asked_at_the_interval() {
    let mut heartbeat = heartbeat();
    let mut now = 0;
    for number in 1..5 {
        now += 30;
        assert_eq!(heartbeat.poll_timeout(), at(now));
        assert_eq!(
            heartbeat.handle_timeout(at(now)),
            Some(Beat::Send(ping(number)))
        );
        assert_eq!(heartbeat.handle_timeout(at(now)), None, "once");
        now += 2;
        assert!(heartbeat.on_received(&pong(number)));
        assert_eq!(heartbeat.poll_timeout(), Timestamp::ZERO, "to be looked at");
        assert_eq!(heartbeat.handle_timeout(at(now)), None);
        assert_eq!(heartbeat.round_trip(), Some(seconds(2)));
        assert_eq!(heartbeat.smoothed_round_trip(), Some(seconds(2)));
    }
}

#[test]
fn a_peer_that_says_nothing_is_given_up() {
    let mut heartbeat = heartbeat();
    assert!(matches!(
        heartbeat.handle_timeout(at(30)),
        Some(Beat::Send(_))
    ));
    assert_eq!(heartbeat.handle_timeout(at(39)), None);
    assert_eq!(heartbeat.handle_timeout(at(40)), Some(Beat::GiveUp));
}

#[test]
fn so_many_as_are_tolerated_may_go_unanswered() {
    let mut heartbeat = heartbeat().misses(1);
    assert_eq!(heartbeat.handle_timeout(at(30)), Some(Beat::Send(ping(1))));
    assert_eq!(heartbeat.handle_timeout(at(40)), Some(Beat::Send(ping(2))));
    assert_eq!(heartbeat.handle_timeout(at(50)), Some(Beat::GiveUp));
}

#[test]
fn any_message_is_a_sign_of_life_but_only_the_answer_is_kept_back() {
    let mut heartbeat = heartbeat();
    assert!(!heartbeat.on_received(&pong(0)), "nothing was asked");
    heartbeat.handle_timeout(at(30));
    for other in [pong(0), pong(2), ping(1), Message::from(vec![1])] {
        assert!(!heartbeat.on_received(&other));
    }
    assert_eq!(heartbeat.handle_timeout(at(40)), None, "it is alive");
    assert_eq!(
        (heartbeat.poll_timeout(), heartbeat.round_trip()),
        (at(50), None)
    );
    assert_eq!(heartbeat.handle_timeout(at(50)), Some(Beat::GiveUp));
}
