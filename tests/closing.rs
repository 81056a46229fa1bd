//! The closing handshake (RFC 6455 §5.5.1, §7), and how connections end.

mod common;

use std::time::Duration;

use common::pair::Pair;
use common::*;
use sansocket::frame::{Header, Opcode};
use sansocket::{
    Chunk, CloseCode, CloseFrame, CloseOutcome, Config, ProtocolError, ReceiveBuffer, SendError,
    State, Timeout,
};

fn pair() -> Pair {
    Pair::new(Config::new(), Config::new())
}

fn clean(code: CloseCode, reason: &str) -> Option<CloseOutcome> {
    Some(CloseOutcome::Clean(Some(CloseFrame::new(code, reason))))
}

/// Checks that nothing can be sent any more.
fn assert_sends_nothing(endpoint: &mut Endpoint) {
    let connection = &mut endpoint.connection;
    let refused = Err(SendError::Closing(()));
    assert!(!connection.can_send());
    assert_eq!(connection.send_text("x"), refused);
    assert_eq!(connection.send_binary(b"x"), refused);
    assert_eq!(connection.send_chunk(Chunk::text("x")), refused);
    assert_eq!(connection.ping(b"x"), refused);
    assert_eq!(connection.close(None), refused);
    assert_eq!(
        connection.send("back".into()),
        Err(SendError::Closing("back".into()))
    );
}

#[test]
fn every_close_code_is_judged_as_the_rfc_says() {
    for code in 0..=u16::MAX {
        let legal = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(CloseCode::new(code).map(u16::from), legal.then_some(code));
        for side in SIDES {
            let mut endpoint = side.endpoint(Config::new());
            endpoint.feed(&side.close(code, "why"));
            if legal {
                assert_eq!(endpoint.seen, [Seen::Close(Some((code, "why".into())))]);
                assert_eq!(endpoint.outcome().unwrap().code(), code);
                let echo = close_sent(&endpoint.output());
                assert_eq!(
                    echo,
                    Some((code, String::new())),
                    "the code, not the reason"
                );
            } else {
                let error = ProtocolError::InvalidCloseCode(code);
                assert_eq!((endpoint.error, &*endpoint.seen), (Some(error), &[][..]));
                assert_eq!(close_sent(&endpoint.output()).unwrap().0, 1002);
            }
        }
    }
}

#[test]
fn a_close_body_of_one_byte_fails_the_connection() {
    assert_fails(&Config::new(), ProtocolError::TruncatedCloseCode, |to| {
        to.frame(Opcode::Close, true, &[3])
    });
}

#[test]
fn an_empty_close_frame_is_answered_with_one_and_counts_as_1005() {
    for side in SIDES {
        let bytes = side.frame(Opcode::Close, true, b"");
        let result = received_any_way(side, &Config::new(), &bytes);
        assert_eq!(result.seen, [Seen::Close(None)]);
        assert_eq!(close_sent(&result.output), None);
        let outcome = result.outcome.unwrap();
        assert_eq!(outcome, CloseOutcome::Clean(None));
        assert_eq!((outcome.code(), outcome.is_clean()), (1005, true));
    }
}

#[test]
fn a_reason_is_cut_at_a_character_boundary_at_123_bytes() {
    for (reason, kept) in [
        ("x".repeat(123), 123),
        ("x".repeat(124), 123),
        ("é".repeat(62), 122),
        ("€".repeat(42), 123),
        (format!("x{}", "😀".repeat(31)), 121),
    ] {
        let frame = CloseFrame::new(CloseCode::NORMAL, &*reason);
        assert_eq!(frame.reason(), &reason[..kept]);
        for side in SIDES {
            let mut connection = side.connection(Config::new());
            connection.close(frame.clone()).unwrap();
            let sent = close_sent(&transmit_all(&mut connection));
            assert_eq!(sent, Some((1000, reason[..kept].into())));
        }
    }
}

#[test]
fn a_reason_of_123_bytes_is_received() {
    for side in SIDES {
        let reason = "r".repeat(123);
        let result = received_any_way(side, &Config::new(), &side.close(3000, &reason));
        assert_eq!(result.seen, [Seen::Close(Some((3000, reason)))]);
    }
}

#[test]
fn the_reason_of_a_failure_fits_its_frame() {
    // The largest that there is, on machines of 32 bits too.
    let limit = isize::MAX as u64 / 2;
    assert_fails(
        &Config::new().max_frame_size(limit),
        ProtocolError::FrameTooBig { limit },
        |to| {
            to.header(Opcode::Binary, true, (1 << 63) - 1)
                .encode()
                .to_vec()
        },
    );
}

#[test]
fn either_side_can_close_and_the_server_ends_the_transport_first() {
    for closer in SIDES {
        for split in splits() {
            let mut pair = Pair::split(Config::new(), Config::new(), split);
            let code = CloseCode::GOING_AWAY;
            let (from, to) = match closer {
                Side::Client => (&mut pair.client, &mut pair.server),
                Side::Server => (&mut pair.server, &mut pair.client),
            };
            from.connection.close(CloseFrame::new(code, "bye")).unwrap();
            assert_eq!(from.state(), State::Closing);
            assert_sends_nothing(from);

            // One half of the way: the other side answers.
            to.feed(&from.output());
            assert_eq!(to.seen, [Seen::Close(Some((1001, "bye".into())))]);
            assert_eq!(to.state(), State::Draining);
            assert_eq!(to.outcome().cloned(), clean(code, "bye"));
            assert_sends_nothing(to);
            assert!(!to.connection.wants_shutdown(), "its answer waits");
            let answer = to.output();
            assert_eq!(close_sent(&answer), Some((1001, String::new())));
            from.feed(&answer);
            assert_eq!(from.outcome().cloned(), clean(code, ""));

            assert!(!pair.client.connection.wants_shutdown(), "the client waits");
            assert!(pair.server.connection.wants_shutdown());
            pair.run();
            assert_eq!(pair.states(), (State::Closed, State::Closed));
            assert_eq!(pair.shut(), (true, true));
        }
    }
}

#[test]
fn both_sides_may_close_at_once() {
    let mut pair = pair();
    pair.client.connection.close(CloseCode::NORMAL).unwrap();
    pair.server.connection.close(CloseCode::GOING_AWAY).unwrap();
    pair.run();
    assert_eq!(
        pair.client.outcome().cloned(),
        clean(CloseCode::GOING_AWAY, "")
    );
    assert_eq!(pair.server.outcome().cloned(), clean(CloseCode::NORMAL, ""));
    assert_eq!(pair.states(), (State::Closed, State::Closed));
}

#[test]
fn messages_queued_before_the_close_frame_are_sent_before_it() {
    let mut pair = pair();
    pair.client.connection.send_text("one").unwrap();
    let large = data(100_000);
    pair.client.connection.send(large.clone().into()).unwrap();
    pair.client.connection.close(None).unwrap();
    pair.run();
    let expected = [Seen::text("one"), Seen::Binary(large), Seen::Close(None)];
    assert_eq!(pair.server.seen, expected);
}

#[test]
fn messages_of_the_peer_still_come_after_our_close_frame() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        endpoint.connection.close(CloseCode::NORMAL).unwrap();
        endpoint.feed(&[side.text("late"), side.close(1000, "")].concat());
        let seen = [Seen::text("late"), Seen::Close(Some((1000, String::new())))];
        assert_eq!(endpoint.seen, seen);
        assert_eq!(frames(&endpoint.output()).len(), 1, "a single Close frame");
    }
}

#[test]
fn nothing_is_read_after_a_close_frame() {
    for side in SIDES {
        let bytes = [
            side.close(1000, ""),
            side.text("late"),
            side.ping(b"late"),
            side.frame(Opcode::Continuation, true, b"not even an error"),
        ]
        .concat();
        let result = received_any_way(side, &Config::new(), &bytes);
        assert_eq!(result.seen, [Seen::Close(Some((1000, String::new())))]);
        assert_eq!(result.error, None);
        assert_eq!(frames(&result.output).len(), 1);

        let mut connection = side.connection(Config::new());
        let mut rx = ReceiveBuffer::new();
        rx.extend_from_slice(&bytes);
        assert!(connection.receive(&mut rx).unwrap().is_some());
        assert!(rx.is_empty(), "what is not read is not kept");
    }
}

#[test]
fn a_close_frame_may_come_amid_a_message() {
    for side in SIDES {
        let bytes = [
            side.frame(Opcode::Text, false, b"half"),
            side.close(1001, ""),
        ]
        .concat();
        let result = received_any_way(side, &Config::new(), &bytes);
        assert_eq!(result.seen, [Seen::Close(Some((1001, String::new())))]);
        let mut endpoint = side.endpoint(Config::new());
        endpoint.feed(&bytes);
        assert!(endpoint.rx.is_empty());
    }
}

#[test]
fn a_violation_while_closing_fails_the_connection_without_a_second_close_frame() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        endpoint.connection.close(CloseCode::NORMAL).unwrap();
        endpoint.feed(&side.frame(Opcode::Continuation, true, b""));
        let error = ProtocolError::UnexpectedContinuation;
        assert_eq!(endpoint.error, Some(error));
        let outcome = CloseOutcome::Failed(error);
        assert_eq!((outcome.code(), outcome.is_clean()), (1006, false));
        assert_eq!(endpoint.outcome(), Some(&outcome));
        assert_eq!(close_sent(&endpoint.output()).unwrap().0, 1000);
        assert!(endpoint.connection.wants_shutdown(), "at either role");
    }
}

#[test]
fn a_failed_connection_sends_nothing_behind_its_close_frame() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        endpoint.connection.send_text("before").unwrap();
        endpoint.feed(&side.frame(Opcode::Text, true, b"\xFF"));
        assert_sends_nothing(&mut endpoint);
        let sent = endpoint.output();
        assert_eq!(frames(&sent).len(), 2);
        assert_eq!(close_sent(&sent).unwrap().0, 1007);
    }
}

#[test]
fn the_end_of_an_open_connection_is_a_loss() {
    for side in SIDES {
        let mut endpoint = side.endpoint(Config::new());
        endpoint.connection.send_text("in vain").unwrap();
        endpoint.feed(&side.frame(Opcode::Text, false, b"half"));
        endpoint.connection.receive_eof();
        assert_eq!(endpoint.outcome(), Some(&CloseOutcome::Lost));
        assert_eq!(CloseOutcome::Lost.code(), 1006);
        assert_eq!(endpoint.state(), State::Closed);
        assert_eq!(endpoint.output(), b"");
        assert!(!endpoint.connection.wants_read());
        assert!(endpoint.connection.wants_shutdown());
        assert_eq!(endpoint.connection.poll_timeout(), None);
        assert_sends_nothing(&mut endpoint);
    }
}

#[test]
fn the_end_while_closing_is_a_loss() {
    let mut pair = pair();
    pair.client.connection.close(CloseCode::NORMAL).unwrap();
    pair.cut();
    assert_eq!(pair.client.outcome(), Some(&CloseOutcome::Lost));
    assert_eq!(pair.server.outcome(), Some(&CloseOutcome::Lost));
    assert_eq!(pair.states(), (State::Closed, State::Closed));
}

#[test]
fn the_end_while_draining_changes_no_outcome_and_lets_the_answer_leave() {
    for side in SIDES {
        for (bytes, code) in [
            (side.close(4000, ""), 4000),
            (side.frame(Opcode::Continuation, true, b""), 1006),
        ] {
            let mut endpoint = side.endpoint(Config::new());
            endpoint.feed(&bytes);
            let outcome = endpoint.outcome().cloned().unwrap();
            assert_eq!(outcome.code(), code);
            endpoint.connection.receive_eof();
            endpoint.connection.receive_eof();
            assert_eq!(endpoint.outcome(), Some(&outcome));
            assert_eq!(endpoint.state(), State::Draining);
            assert!(close_sent(&endpoint.output()).is_some());
            assert_eq!(endpoint.state(), State::Closed);
            assert!(endpoint.connection.wants_shutdown());
        }
    }
}

#[test]
fn nothing_is_delivered_once_the_outcome_is_known() {
    // A whole message, and one in steps: both must be dropped.
    let late = |side: Side| {
        [
            side.text("late"),
            side.binary(b"late"),
            side.frame(Opcode::Text, false, b"la"),
            side.frame(Opcode::Continuation, true, b"te"),
            side.ping(b"late"),
        ]
        .concat()
    };
    let timeout = Duration::from_secs(5);
    for side in SIDES {
        let lost: fn(&mut Endpoint) = |endpoint| endpoint.connection.receive_eof();
        let unanswered: fn(&mut Endpoint) = |endpoint| {
            endpoint.connection.close(None).unwrap();
            endpoint.connection.handle_timeout(Duration::ZERO.into());
            endpoint
                .connection
                .handle_timeout(Duration::from_secs(9).into());
        };
        let no_pong: fn(&mut Endpoint) = |endpoint| {
            for seconds in [0, 6, 12] {
                let now = Duration::from_secs(seconds).into();
                endpoint.connection.handle_timeout(now);
            }
        };
        for (end, outcome) in [
            (lost, CloseOutcome::Lost),
            (unanswered, CloseOutcome::TimedOut(Timeout::Close)),
            (no_pong, CloseOutcome::TimedOut(Timeout::Pong)),
        ] {
            let mut endpoint = side.endpoint(Config::new().keep_alive(timeout, timeout));
            end(&mut endpoint);
            assert_eq!(endpoint.outcome(), Some(&outcome));
            endpoint.feed(&late(side));
            assert_eq!(endpoint.seen, [], "{outcome:?}");
            assert!(endpoint.rx.is_empty());
            assert_eq!(endpoint.outcome(), Some(&outcome));
        }
    }
}

#[test]
fn the_echo_is_masked_by_a_client_only() {
    for side in SIDES {
        let result = received_any_way(side, &Config::new(), &side.close(1000, ""));
        let (header, _): &(Header, _) = &frames(&result.output)[0];
        assert_eq!(header.masking_key.is_some(), side == Side::Client);
    }
}
