//! All 65,536 close codes, against a table from RFC 6455 §7.4 and the registry that it opens: sent,
//! received, and read out of the outcome.
#![cfg(not(miri))] // there are too many cases

mod common;

use common::*;
use sansocket::{CloseCode, CloseFrame, CloseOutcome, Config, ProtocolError};

/// Which codes may stand in a Close frame. What is not listed has no definition, or is for the use of
/// programs alone (1005, 1006, 1015).
const ON_THE_WIRE: [(u16, u16); 4] = [
    (1000, 1003), // §7.4.1
    (1007, 1011), // §7.4.1
    (1012, 1014), // registered since
    (3000, 4999), // §7.4.2: libraries and frameworks, then applications
];

fn may_stand(code: u16) -> bool {
    ON_THE_WIRE
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&code))
}

#[test]
fn every_code_is_one_that_may_be_sent_or_is_not() {
    let mut legal = 0;
    for code in 0..=u16::MAX {
        match CloseCode::new(code) {
            Some(made) => {
                assert!(may_stand(code), "{code}");
                assert_eq!((made.get(), u16::from(made)), (code, code));
                assert!(!made.description().is_empty());
                legal += 1;
            }
            None => assert!(!may_stand(code), "{code}"),
        }
    }
    assert_eq!(legal, 4 + 5 + 3 + 2000);
}

#[test]
fn every_code_received_is_judged_as_the_table_says() {
    for side in SIDES {
        for code in 0..=u16::MAX {
            let mut endpoint = side.endpoint(Config::new());
            endpoint.feed(&side.close(code, "why"));
            let answer = close_sent(&endpoint.output());
            let outcome = endpoint.outcome().expect("an outcome");
            if may_stand(code) {
                assert_eq!(endpoint.seen, [Seen::Close(Some((code, "why".into())))]);
                assert_eq!(outcome.code(), code);
                assert!(outcome.is_clean());
                assert_eq!(answer, Some((code, String::new())), "the code comes back");
            } else {
                let error = ProtocolError::InvalidCloseCode(code);
                assert_eq!((&endpoint.seen[..], endpoint.error), (&[][..], Some(error)));
                assert_eq!(outcome, &CloseOutcome::Failed(error));
                assert_eq!(outcome.code(), 1006, "no Close frame that counts");
                assert_eq!(answer.map(|(code, _)| code), Some(1002), "{code}");
            }
        }
    }
}

#[test]
fn every_code_that_may_be_sent_is_sent_and_received_as_it_is() {
    for side in SIDES {
        for code in (0..=u16::MAX).filter_map(CloseCode::new) {
            let mut endpoint = side.endpoint(Config::new());
            let frame = CloseFrame::new(code, "because");
            endpoint.connection.close(frame.clone()).unwrap();
            let sent = endpoint.output();
            let expected = Some((code.get(), "because".into()));
            assert_eq!(close_sent(&sent), expected);
            let mut peer = side.other().endpoint(Config::new());
            peer.feed(&sent);
            assert_eq!(peer.seen, [Seen::Close(expected)]);
            assert_eq!(peer.outcome(), Some(&CloseOutcome::Clean(Some(frame))));
        }
    }
}

#[test]
fn every_code_is_described() {
    let registered = [
        (1000, "normal closure"),
        (1001, "going away"),
        (1002, "protocol error"),
        (1003, "unsupported data"),
        (1007, "invalid payload data"),
        (1008, "policy violation"),
        (1009, "message too big"),
        (1010, "mandatory extension missing"),
        (1011, "internal error"),
        (1012, "service restart"),
        (1013, "try again later"),
        (1014, "bad gateway"),
    ];
    let of = |code| CloseCode::new(code).unwrap();
    for (code, description) in registered {
        assert_eq!(of(code).description(), description);
        assert_eq!(of(code).to_string(), format!("{code} ({description})"));
        assert_eq!(format!("{:?}", of(code)), format!("CloseCode({code})"));
    }
    for (codes, description) in [
        (3000..=3999, "registered by a library or framework"),
        (4000..=4999, "private to the application"),
    ] {
        for code in codes {
            assert_eq!(of(code).description(), description);
        }
    }
}
