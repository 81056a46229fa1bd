//! Whether and when a client connects again, in virtual time.
#![cfg(feature = "policy")]

use std::time::Duration;

use sansocket::policy::{
    Backoff, CircuitBreaker, Ended, GaveUp, Jitter, Reconnect, ReconnectState, Verdict,
};
use sansocket::{CloseCode, CloseOutcome, ProtocolError, Timeout, Timestamp};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn at(n: u64) -> Timestamp {
    seconds(n).into()
}

/// 1, 2, 4… seconds, without jitter.
fn plain() -> Backoff {
    Backoff::new([1; 32]).jitter(Jitter::None)
}

fn refused(status: u16, retry_after: Option<u64>) -> Ended {
    let retry_after = retry_after.map(seconds);
    Ended::Refused {
        status,
        retry_after,
    }
}

/// One that is online since second 0.
fn online(backoff: Backoff) -> Reconnect {
    let mut reconnect = Reconnect::new(backoff);
    reconnect.start();
    reconnect.connected(at(0));
    reconnect
}

#[test]
fn delays_double_up_to_the_ceiling() {
    let mut backoff = plain().ceiling(seconds(10));
    let delays = [1, 2, 4, 8, 10, 10].map(seconds).map(Some);
    assert_eq!([(); 6].map(|()| backoff.next_delay(None)), delays);
    assert_eq!(backoff.made(), 6);
    backoff.reset();
    assert_eq!(backoff.next_delay(None), Some(seconds(1)));
    for _ in 0..200 {
        assert!(backoff.next_delay(None) <= Some(seconds(10)));
    }
}

#[test]
fn attempts_are_limited() {
    let mut backoff = plain().attempts(2);
    assert!(backoff.next_delay(None).is_some());
    assert!(backoff.next_delay(None).is_some());
    assert_eq!(backoff.next_delay(None), None);
    assert_eq!(plain().attempts(0).next_delay(None), None);
}

#[test]
fn jitter_keeps_to_its_bounds_and_uses_all_of_them() {
    for (jitter, least) in [(Jitter::Full, 100), (Jitter::Equal, 4_000)] {
        let mut backoff = Backoff::new([3; 32]).initial(seconds(8)).jitter(jitter);
        let delays: Vec<_> = (0..2_000)
            .map(|_| {
                backoff.reset();
                backoff.next_delay(None).unwrap().as_millis()
            })
            .collect();
        let (min, max) = (*delays.iter().min().unwrap(), *delays.iter().max().unwrap());
        assert!(least <= min && max <= 8_000, "{min} {max}");
        // Of 2,000 even draws one in fifty lies in each fiftieth.
        let margin = (8_000 - least) / 50;
        assert!(min < least + margin && 8_000 - margin < max, "{min} {max}");
        let mean = delays.iter().sum::<u128>() / 2_000;
        assert!(mean.abs_diff((8_000 + least) / 2) < 3 * margin, "{mean}");
    }
}

#[test]
fn the_same_seed_gives_the_same_delays_and_another_does_not() {
    let delays = |seed| {
        let mut backoff = Backoff::new([seed; 32]);
        [(); 10].map(|()| backoff.next_delay(None))
    };
    assert_eq!(delays(1), delays(1));
    assert_ne!(delays(1), delays(2));
}

#[test]
fn a_server_that_asks_for_time_gets_it_within_bounds() {
    let mut backoff = plain().retry_after_ceiling(seconds(100));
    assert_eq!(backoff.next_delay(Some(seconds(7))), Some(seconds(7)));
    assert_eq!(backoff.next_delay(Some(seconds(1))), Some(seconds(2)));
    assert_eq!(backoff.next_delay(Some(Duration::MAX)), Some(seconds(100)));
}

#[test]
fn no_delay_is_shorter_than_the_floor() {
    let mut backoff = Backoff::new([0; 32]).initial(seconds(1)).floor(seconds(3));
    for _ in 0..50 {
        assert!(backoff.next_delay(None) >= Some(seconds(3)));
    }
    // Nor is there an overflow at the largest that can be said.
    let mut backoff = Backoff::new([0; 32])
        .initial(Duration::MAX)
        .ceiling(Duration::MAX)
        .jitter(Jitter::Equal);
    for _ in 0..40 {
        assert!(backoff.next_delay(None).is_some());
    }
}

#[test]
fn a_close_code_decides() {
    for code in 0..=u16::MAX {
        let retries = matches!(code, 1001 | 1006 | 1011 | 1012 | 1013 | 1014);
        let mut reconnect = online(plain());
        reconnect.ended(Ended::Closed(code), at(1));
        match reconnect.state() {
            ReconnectState::Reconnecting { after, .. } => {
                assert!(retries, "{code}");
                assert_eq!(after, Ended::Closed(code));
            }
            ReconnectState::Disconnected(why) => {
                assert!(!retries, "{code}");
                assert_eq!(why, GaveUp::Final(Ended::Closed(code)));
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[test]
fn a_status_decides() {
    let retried = [408, 425, 429, 500, 502, 503, 504, 507, 599];
    for status in 100..=599 {
        let verdict = Verdict::of_status(status);
        let server_error = matches!(status, 500 | 502..=504 | 506..=599);
        let expected = server_error || retried.contains(&status);
        assert_eq!(verdict == Verdict::Retry, expected, "{status}");
        assert_ne!(verdict, Verdict::Refresh);
    }
}

#[test]
fn retry_after_moves_the_next_attempt() {
    let mut reconnect = Reconnect::new(plain());
    reconnect.start();
    reconnect.ended(refused(503, Some(20)), at(5));
    assert_eq!(reconnect.poll_timeout(), Some(at(25)));
    reconnect.handle_timeout(at(24));
    assert!(matches!(
        reconnect.state(),
        ReconnectState::Reconnecting { attempt: 1, .. }
    ));
    reconnect.handle_timeout(at(25));
    let connecting = ReconnectState::Connecting {
        attempt: 1,
        refresh: false,
    };
    assert_eq!(
        (reconnect.state(), reconnect.poll_timeout()),
        (connecting, None)
    );
}

#[test]
fn the_application_has_the_last_word() {
    let mut reconnect = Reconnect::new(plain())
        .on_status(401, Verdict::Refresh)
        .on_status(503, Verdict::Stop)
        .on_close_code(1000, Verdict::Retry)
        .on_close_code(4001, Verdict::Refresh);
    reconnect.start();
    reconnect.ended(refused(401, None), at(0));
    reconnect.handle_timeout(at(1));
    let refreshing = |attempt| ReconnectState::Connecting {
        attempt,
        refresh: true,
    };
    assert_eq!(reconnect.state(), refreshing(1));
    // Until there is a connection, the renewal may not have happened.
    reconnect.ended(Ended::Unreachable, at(1));
    reconnect.handle_timeout(at(3));
    assert_eq!(reconnect.state(), refreshing(2));
    reconnect.connected(at(3));
    reconnect.ended(Ended::Closed(1000), at(100));
    reconnect.handle_timeout(at(101));
    assert!(matches!(
        reconnect.state(),
        ReconnectState::Connecting { refresh: false, .. }
    ));
    reconnect.connected(at(101));
    reconnect.ended(Ended::Closed(4001), at(102));
    reconnect.handle_timeout(at(200));
    assert!(matches!(
        reconnect.state(),
        ReconnectState::Connecting { refresh: true, .. }
    ));
    reconnect.ended(refused(503, None), at(200));
    let gave_up = GaveUp::Final(refused(503, None));
    assert_eq!(reconnect.state(), ReconnectState::Disconnected(gave_up));
}

#[test]
fn delays_begin_anew_behind_a_stable_connection_alone() {
    let mut reconnect = online(plain()).stable_after(seconds(60));
    let mut now = 0;
    for delay in [1, 2, 4] {
        reconnect.ended(Ended::Closed(1006), at(now + 59));
        assert_eq!(reconnect.poll_timeout(), Some(at(now + 59 + delay)));
        now += 59 + delay;
        reconnect.handle_timeout(at(now));
        reconnect.connected(at(now));
    }
    reconnect.ended(Ended::Closed(1006), at(now + 60));
    assert_eq!(reconnect.poll_timeout(), Some(at(now + 61)));
}

#[test]
fn attempts_run_out_with_the_last_reason() {
    let mut reconnect = online(plain().attempts(1));
    reconnect.ended(Ended::Closed(1006), at(1));
    reconnect.handle_timeout(at(2));
    reconnect.ended(Ended::Unreachable, at(3));
    let gave_up = ReconnectState::Disconnected(GaveUp::Exhausted(Ended::Unreachable));
    assert_eq!(
        (reconnect.state(), reconnect.poll_timeout()),
        (gave_up, None)
    );
    // Whoever starts it again has all attempts again.
    reconnect.start();
    reconnect.ended(Ended::Unreachable, at(4));
    assert_eq!(reconnect.poll_timeout(), Some(at(5)));
}

#[test]
fn a_server_that_is_down_is_left_alone_and_probed_once() {
    let breaker = CircuitBreaker::new(3, seconds(300));
    let mut reconnect = Reconnect::new(plain()).circuit_breaker(breaker);
    reconnect.start();
    for (now, next) in [(0, 1), (1, 3), (3, 303), (303, 603)] {
        reconnect.ended(Ended::Unreachable, at(now));
        assert_eq!(reconnect.poll_timeout(), Some(at(next)));
        reconnect.handle_timeout(at(next));
    }
    reconnect.connected(at(603));
    reconnect.ended(Ended::Closed(1006), at(700));
    assert_eq!(reconnect.poll_timeout(), Some(at(701)), "closed again");
}

#[test]
fn without_a_network_nothing_is_tried_until_it_is_back() {
    for steps in 0..3 {
        let mut reconnect = Reconnect::new(plain());
        reconnect.start();
        if steps > 0 {
            reconnect.connected(at(0));
        }
        if steps > 1 {
            reconnect.ended(Ended::Closed(1006), at(1));
        }
        reconnect.set_offline(true);
        assert_eq!(reconnect.state(), ReconnectState::Offline);
        reconnect.ended(Ended::Closed(1006), at(2));
        reconnect.handle_timeout(at(1_000));
        assert_eq!(
            (reconnect.state(), reconnect.poll_timeout()),
            (ReconnectState::Offline, None)
        );
        reconnect.set_offline(false);
        assert!(matches!(
            reconnect.state(),
            ReconnectState::Connecting { attempt: 0, .. }
        ));
    }
    // Who does not want a connection gets none by that.
    let mut reconnect = Reconnect::new(plain());
    reconnect.set_offline(true);
    reconnect.set_offline(false);
    let stopped = ReconnectState::Disconnected(GaveUp::Stopped);
    assert_eq!(reconnect.state(), stopped);
}

#[test]
fn every_change_is_an_event_and_nothing_else_is() {
    let mut reconnect = Reconnect::new(plain());
    reconnect.handle_timeout(at(0));
    reconnect.connected(at(0));
    reconnect.ended(Ended::Unreachable, at(0));
    reconnect.stop();
    assert_eq!(reconnect.poll_event(), None);
    reconnect.start();
    reconnect.start();
    reconnect.connected(at(1));
    reconnect.ended(Ended::Closed(1001), at(2));
    reconnect.handle_timeout(at(2));
    reconnect.handle_timeout(at(3));
    reconnect.stop();
    reconnect.stop();
    let mut events = Vec::new();
    while let Some(event) = reconnect.poll_event() {
        events.push(event);
    }
    let connecting = |attempt| ReconnectState::Connecting {
        attempt,
        refresh: false,
    };
    let after = Ended::Closed(1001);
    let waiting = ReconnectState::Reconnecting {
        attempt: 1,
        at: at(3),
        after,
    };
    let stopped = ReconnectState::Disconnected(GaveUp::Stopped);
    let expected = [
        connecting(0),
        ReconnectState::Online,
        waiting,
        connecting(1),
        stopped,
    ];
    assert_eq!(events, expected);
    // Nobody who looks away costs memory.
    for _ in 0..1_000 {
        reconnect.start();
        reconnect.stop();
    }
    let kept = std::iter::from_fn(|| reconnect.poll_event()).collect::<Vec<_>>();
    assert_eq!((kept.len(), kept.last()), (64, Some(&stopped)));
}

#[test]
fn an_outcome_says_why_a_connection_ended() {
    for (outcome, code) in [
        (
            CloseOutcome::Clean(Some(CloseCode::GOING_AWAY.into())),
            1001,
        ),
        (CloseOutcome::Clean(None), 1005),
        (CloseOutcome::Lost, 1006),
        (CloseOutcome::TimedOut(Timeout::Pong), 1006),
        (CloseOutcome::Failed(ProtocolError::InvalidUtf8), 1007),
        (
            CloseOutcome::Failed(ProtocolError::MessageTooBig { limit: 1 }),
            1009,
        ),
    ] {
        assert_eq!(Ended::from(&outcome), Ended::Closed(code));
    }
}

#[cfg(all(feature = "std", feature = "handshake"))]
mod handshakes {
    use std::io::{self, ErrorKind};

    use sansocket::ReceiveBuffer;
    use sansocket::blocking::{ConnectError, Error};
    use sansocket::handshake::{ResponseError, UriError, WsUri, client};

    use super::*;

    fn answered(response: &[u8]) -> ResponseError {
        let request = client::Request::new("ws://a".parse().unwrap());
        let mut rx = ReceiveBuffer::new();
        rx.extend_from_slice(response);
        match request.start([0; 16]).unwrap().receive(&mut rx) {
            client::Progress::Failed(error) => error,
            other => panic!("{other:?}"),
        }
    }

    fn with_header(header: &str) -> Option<Duration> {
        let head = format!("HTTP/1.1 503 Busy\r\n{header}\r\n\r\n");
        match answered(head.as_bytes()) {
            ResponseError::Refused(response) => response.retry_after(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        assert_eq!(with_header("Retry-After: 120"), Some(seconds(120)));
        assert_eq!(with_header("retry-after:0"), Some(Duration::ZERO));
        for other in [
            "A: b",
            "Retry-After:",
            "Retry-After: +5",
            "Retry-After: -5",
            "Retry-After: 1.5",
            "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT",
            "Retry-After: 99999999999999999999999999",
        ] {
            assert_eq!(with_header(other), None, "{other}");
        }
    }

    #[test]
    fn an_error_says_why_there_is_no_connection() {
        let io = |kind| ConnectError::Io(io::Error::from(kind));
        let response = |bytes: &[u8]| ConnectError::Response(answered(bytes));
        let uri: Result<WsUri, UriError> = "http://a".parse();
        for (error, ended) in [
            (io(ErrorKind::ConnectionRefused), Ended::Unreachable),
            (io(ErrorKind::TimedOut), Ended::Unreachable),
            (io(ErrorKind::InvalidData), Ended::Permanent),
            (ConnectError::Uri(uri.unwrap_err()), Ended::Permanent),
            (
                ConnectError::Response(ResponseError::TimedOut),
                Ended::Unreachable,
            ),
            (response(b"HTTP/1.1 101 OK\r\n\r\n"), Ended::Permanent),
            (
                response(b"HTTP/1.1 429 Later\r\nRetry-After: 3\r\n\r\n"),
                refused(429, Some(3)),
            ),
        ] {
            assert_eq!(Ended::from(&error), ended, "{error}");
        }
        let lost = Error::Ended(CloseOutcome::Lost);
        assert_eq!(Ended::from(&lost), Ended::Closed(1006));
        let broken = Error::from(io::Error::from(ErrorKind::BrokenPipe));
        assert_eq!(Ended::from(&broken), Ended::Closed(1006));
        let violation = Error::Protocol(ProtocolError::Masked);
        assert_eq!(Ended::from(&violation), Ended::Closed(1002));
    }
}
