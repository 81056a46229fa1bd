//! Limits on connections and on rates, and graceful shutdown, in virtual time.
#![cfg(feature = "policy")]

use std::time::Duration;

use sansocket::policy::{
    ConnectionLimits, RateExceeded, RateLimit, Refused, Shutdown, ShutdownReport, TokenBucket,
    address_group,
};
use sansocket::{CloseCode, CloseOutcome, Timestamp};

fn at(nanos: u64) -> Timestamp {
    Duration::from_nanos(nanos).into()
}

fn secs(seconds: u64) -> Timestamp {
    Duration::from_secs(seconds).into()
}

#[test]
fn a_bucket_lets_a_burst_through_and_then_keeps_its_rate() {
    let mut bucket = TokenBucket::new(10, 5);
    let taken = |bucket: &mut TokenBucket, now| (0..100).filter(|_| bucket.take(now, 1)).count();
    assert_eq!(taken(&mut bucket, secs(0)), 5);
    assert_eq!(taken(&mut bucket, at(99_999_999)), 0);
    assert_eq!(taken(&mut bucket, at(100_000_000)), 1);
    // It holds no more than the burst, however long nobody takes any.
    assert_eq!(taken(&mut bucket, secs(1000)), 5);
}

#[test]
fn a_bucket_does_not_drift_however_often_it_is_asked() {
    // 7 a second are none of a whole number of nanoseconds.
    let mut bucket = TokenBucket::new(7, 2);
    let mut taken = 0;
    for millisecond in 0..=100_000 {
        taken += u32::from(bucket.take(at(millisecond * 1_000_000), 1));
        // To ask costs nothing.
        bucket.wait(at(millisecond * 1_000_000), 1);
    }
    assert_eq!(taken, 2 + 700);

    let mut bucket = TokenBucket::new(3, 1_000_000);
    assert!(bucket.take(secs(0), 1_000_000));
    for nanos in 0..1000 {
        assert!(!bucket.take(at(nanos * 333_333), 1));
    }
    assert!(!bucket.take(at(333_333_333), 1));
    assert!(bucket.take(at(333_333_334), 1));
}

#[test]
fn a_bucket_says_how_long_to_wait_and_keeps_its_word() {
    let mut bucket = TokenBucket::new(3, 10);
    assert_eq!(bucket.wait(secs(0), 10), Some(Duration::ZERO));
    assert!(bucket.take(secs(0), 10));
    let wait = bucket.wait(secs(0), 2).unwrap();
    assert_eq!(wait, Duration::from_nanos(666_666_667));
    assert!(!bucket.take((wait - Duration::from_nanos(1)).into(), 2));
    assert!(bucket.take(wait.into(), 2));
    assert_eq!(bucket.wait(wait.into(), 11), None, "it holds 10");
    assert_eq!(TokenBucket::new(0, 0).wait(secs(5), 1), None);
    let mut dry = TokenBucket::new(0, 1);
    assert!(dry.take(secs(5), 1));
    assert_eq!(dry.wait(secs(u64::MAX), 1), None);
}

#[test]
fn a_bucket_takes_the_largest_numbers_and_a_clock_that_runs_backwards() {
    let most = u64::MAX;
    let end = Timestamp::from(Duration::MAX);
    let mut bucket = TokenBucket::new(most, most);
    assert!(bucket.take(end, most));
    assert!(!bucket.take(end, 1));
    assert!(!bucket.take(secs(0), 1), "time that has passed already");
    assert!(!bucket.take(end, most));
    let mut slow = TokenBucket::new(1, most);
    assert!(slow.take(secs(0), most));
    assert_eq!(slow.wait(secs(0), most), Some(Duration::from_secs(most)));
}

#[test]
fn a_rate_limit_counts_messages_and_bytes_each_for_itself() {
    let now = secs(1);
    let mut limit = RateLimit::new().messages(1, 3).bytes(100, 1000);
    assert_eq!(limit.receive(now, 999), Ok(()));
    assert_eq!(limit.receive(now, 2), Err(RateExceeded::Bytes));
    assert_eq!(limit.receive(now, 0), Ok(()));
    assert_eq!(limit.receive(now, 0), Err(RateExceeded::Messages));
    assert_eq!(limit.receive(secs(2), 100), Ok(()));
    // Only the last part of a message counts as one.
    for _ in 0..9 {
        assert_eq!(limit.receive_chunk(secs(3), 10, false), Ok(()));
    }
    assert_eq!(limit.receive_chunk(secs(3), 10, true), Ok(()));
    assert_eq!(
        limit.receive_chunk(secs(3), 0, true),
        Err(RateExceeded::Messages)
    );
    assert_eq!(RateLimit::new().receive(now, usize::MAX), Ok(()));
    for error in [RateExceeded::Messages, RateExceeded::Bytes] {
        assert_eq!(error.close_frame().code(), CloseCode::POLICY_VIOLATION);
    }
}

#[test]
fn connections_count_until_they_are_released() {
    let mut limits = ConnectionLimits::new().max_total(3).max_per_key(2);
    let now = secs(0);
    let one = limits.admit("a", now).unwrap().permit;
    let two = limits.admit("a", now).unwrap().permit;
    assert_eq!(limits.admit("a", now), Err(Refused::PerKey));
    let three = limits.admit("b", now).unwrap().permit;
    assert_eq!(limits.admit("c", now), Err(Refused::Total));
    assert_eq!(
        limits.admit("a", now),
        Err(Refused::PerKey),
        "its own fault"
    );
    limits.release(two);
    assert_eq!(limits.len(), 2);
    let admitted = limits.admit("c", now).unwrap();
    assert_eq!(admitted.evict, None);
    for permit in [one, three, admitted.permit] {
        limits.release(permit);
    }
    assert!(limits.is_empty());
}

#[test]
fn the_one_that_is_idle_for_longest_makes_room() {
    let minute = Duration::from_secs(60);
    let mut limits = ConnectionLimits::new().max_total(3).evict_idle(minute);
    let permits: Vec<_> = (0..3)
        .map(|n| limits.admit(n, secs(n)).unwrap().permit)
        .collect();
    limits.touch(permits[0].id(), secs(30));
    assert_eq!(
        limits.admit(9, secs(60)),
        Err(Refused::Total),
        "not idle yet"
    );
    let fourth = limits.admit(9, secs(61)).unwrap();
    assert_eq!(fourth.evict, Some(permits[1].id()));
    // One of three at a time: the next has to wait until it has ended.
    assert_eq!(limits.admit(9, secs(100)), Err(Refused::Total));
    assert_eq!(limits.len(), 4);
    // What it still sends does not help it.
    limits.touch(permits[1].id(), secs(100));
    let mut permits = permits.into_iter();
    let (first, evicted) = (permits.next().unwrap(), permits.next().unwrap());
    limits.release(evicted);
    assert_eq!(limits.admit(9, secs(61)), Err(Refused::Total));
    let fifth = limits.admit(9, secs(62)).unwrap();
    assert_eq!(fifth.evict, permits.next().map(|third| third.id()));
    assert_ne!(fifth.evict, Some(first.id()));
    assert_eq!(
        ConnectionLimits::<u8>::evicted().code(),
        CloseCode::TRY_AGAIN_LATER
    );
}

#[test]
fn a_server_that_admits_nobody_evicts_nobody() {
    let mut limits = ConnectionLimits::new()
        .max_total(0)
        .evict_idle(Duration::ZERO);
    assert_eq!(limits.admit((), secs(0)), Err(Refused::Total));
}

#[test]
fn addresses_of_one_network_are_one_client() {
    let group = |address: &str| address_group(address.parse().unwrap());
    assert_eq!(group("2001:db8::1"), group("2001:db8::ffff:0:0:1"));
    assert_ne!(group("2001:db8:0:1::1"), group("2001:db8:0:2::1"));
    assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
    assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
}

#[cfg(feature = "handshake")]
#[test]
fn a_refusal_says_when_to_come_back() {
    let parts = |refused: Refused, wait| refused.rejection(wait).into_parts().unwrap();
    let (status, headers, _) = parts(Refused::PerKey, Duration::from_millis(1500));
    assert_eq!((status, headers.get("Retry-After")), (429, Some("2")));
    let (status, headers, _) = parts(Refused::Total, Duration::ZERO);
    assert_eq!((status, headers.get("Retry-After")), (503, Some("1")));
}

#[test]
fn a_shutdown_waits_for_all_or_for_its_deadline() {
    let mut shutdown = Shutdown::new(Duration::from_secs(10));
    for _ in 0..4 {
        shutdown.on_open();
    }
    // Before, nobody counts how.
    shutdown.on_end(Some(&CloseOutcome::Lost));
    assert!(!shutdown.has_begun() && !shutdown.is_done(secs(1000)));
    assert_eq!(shutdown.poll_timeout(), None);

    shutdown.begin(secs(5));
    shutdown.begin(secs(9));
    assert_eq!(shutdown.poll_timeout(), Some(secs(15)));
    shutdown.on_end(Some(&CloseOutcome::Clean(None)));
    shutdown.on_end(Some(&CloseOutcome::Lost));
    assert!(!shutdown.is_done(secs(14)));
    assert!(shutdown.is_done(secs(15)));
    let report = shutdown.report();
    assert_eq!((report.clean, report.unclean, report.open), (1, 1, 1));
    shutdown.on_end(None);
    assert!(shutdown.is_done(secs(6)));
    let report: ShutdownReport = shutdown.report();
    assert_eq!(
        report.to_string(),
        "1 closed cleanly, 2 did not, 0 still open"
    );
}

#[cfg(feature = "json")]
#[test]
fn a_message_that_is_not_json_and_one_of_another_shape_are_told_apart() {
    use sansocket::Message;
    use sansocket::policy::json::{JsonError, from_message, to_message};

    #[derive(Debug, PartialEq, serde::Deserialize, serde::Serialize)]
    struct Point {
        x: i32,
        y: i32,
    }
    let point = Point { x: 1, y: -2 };
    let message = to_message(&point).unwrap();
    assert_eq!(message, Message::from(r#"{"x":1,"y":-2}"#));
    assert_eq!(from_message::<Point>(&message).unwrap(), point);
    let binary = Message::from(message.as_bytes());
    assert_eq!(from_message::<Point>(&binary).unwrap(), point);

    let deep = "[".repeat(1 << 20);
    for bad in ["", "{", "{\"x\":1,}", "x", "{\"x\":1,\"y\":2} 3", &deep] {
        let error = from_message::<Point>(&bad.into()).unwrap_err();
        let code = error.close_frame().code();
        match bad {
            // The shape is wrong before the depth is.
            bad if bad == deep => assert!(matches!(error, JsonError::Shape(_))),
            _ => assert_eq!(code, CloseCode::INVALID_DATA, "{bad}"),
        }
    }
    let error = from_message::<serde_json_value::Any>(&deep.as_str().into()).unwrap_err();
    assert_eq!(error.close_frame().code(), CloseCode::INVALID_DATA);
    let not_utf8 = Message::from(&b"{\"x\":\"\xff\"}"[..]);
    assert!(from_message::<Point>(&not_utf8).is_err());
    for bad in ["[1]", "{\"x\":1}", "{\"x\":1,\"y\":\"secret\"}"] {
        let error = from_message::<Point>(&bad.into()).unwrap_err();
        let frame = error.close_frame();
        assert_eq!(frame.code(), CloseCode::POLICY_VIOLATION, "{bad}");
        assert!(!frame.reason().contains("secret"));
    }
}

#[cfg(feature = "json")]
mod serde_json_value {
    /// Lists of lists, to any depth.
    #[derive(Debug, serde::Deserialize)]
    pub(crate) struct Any(#[allow(dead_code)] Vec<Any>);
}
