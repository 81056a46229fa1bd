//! The same bytes to both: the same messages, the same answers, the same verdict, up to the
//! differences that README.md lists.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sansocket_differential::generate::{Message, Spoil, close_bodies, messages, reads, spoils};
use sansocket_differential::{End, Frame, ROLES, Received, Role, Seen, cases, ours, theirs};

fn both(role: Role, bytes: &[u8], reads: &[usize]) -> (Received, Received) {
    let ours = ours::receive(&mut ours::connection(role), role, bytes, reads);
    let theirs = theirs::receive(&mut theirs::websocket(role, bytes, reads), role);
    (ours, theirs)
}

fn is_legal(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Difference 1: the answer to a Close frame has its code; tungstenite's has the reason too.
fn without_reason(received: &mut Received) {
    for (opcode, payload) in &mut received.answers {
        if *opcode == 8 {
            payload.truncate(2);
        }
    }
}

/// Difference 2: we fail the connection over an illegal close code; tungstenite takes the frame,
/// reports it as 1002, and answers 1002.
fn closes_illegally(ours: &Received, theirs: &Received) -> bool {
    let End::Failed(error) = &ours.end else {
        return false;
    };
    let code = error
        .strip_prefix("InvalidCloseCode(")
        .and_then(|rest| rest.strip_suffix(')'));
    let Some(code) = code.and_then(|code| code.parse::<u16>().ok()) else {
        return false;
    };
    let Some((Seen::Close(_), before)) = theirs.seen.split_last() else {
        return false;
    };
    assert!(!is_legal(code));
    assert_eq!(before, ours.seen);
    true
}

/// Difference 3: we tell the peer why the connection fails; tungstenite leaves that to its user.
fn without_farewell(mut ours: Received) -> Received {
    if let (End::Failed(_), Some((8, _))) = (&ours.end, ours.answers.last()) {
        ours.answers.pop();
    }
    ours
}

/// Difference 4: we refuse a length that is not in its shortest form, which for a control frame is a
/// length above 125; tungstenite takes it.
fn lengths_differ(frames: &[Frame], ours: &Received) -> bool {
    let is_longer = |frame: &Frame| match frame.length_bytes {
        2 => frame.payload.len() < 126,
        8 => frame.payload.len() < 65_536,
        _ => false,
    };
    let mut longer = frames.iter().filter(|frame| is_longer(frame));
    match &ours.end {
        End::Failed(error) if error == "Header(LengthNotMinimal)" => {
            assert!(longer.any(|frame| frame.opcode < 8));
            true
        }
        End::Failed(error) if error == "Header(ControlTooLong)" => {
            longer.any(|frame| frame.opcode >= 8)
        }
        _ => false,
    }
}

/// Checks that both make the same of `bytes`, which are whole frames.
fn assert_same(role: Role, frames: &[Frame], reads: &[usize]) {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut bytes));
    let (mut ours, mut theirs) = both(role, &bytes, reads);
    without_reason(&mut ours);
    without_reason(&mut theirs);
    if lengths_differ(frames, &ours) {
        assert!(theirs.seen.starts_with(&ours.seen));
        return;
    }
    if closes_illegally(&ours, &theirs) {
        return;
    }
    let ours = without_farewell(ours);
    assert_eq!(
        ours.seen, theirs.seen,
        "{:?} and {:?}",
        ours.end, theirs.end
    );
    assert_eq!(ours.answers, theirs.answers);
    match (&ours.end, &theirs.end) {
        (End::Failed(_), End::Failed(_)) => {}
        (ours, theirs) => assert_eq!(ours, theirs),
    }
}

fn conversation(role: Role, key: [u8; 4], messages: &[Message]) -> Vec<Frame> {
    messages
        .iter()
        .flat_map(|message| message.frames(role, key))
        .collect()
}

/// Difference 5: 1014 has been registered since (7.4.2), and we take it; tungstenite does not.
const REGISTERED_LATER: u16 = 1014;

#[test]
fn every_close_code_is_judged_the_same() {
    for role in ROLES {
        for code in 0..=u16::MAX {
            let key = (role == Role::Server).then_some([1, 2, 3, 4]);
            let mut bytes = Vec::new();
            Frame::new(true, 8, key, &code.to_be_bytes()).encode(&mut bytes);
            let (ours, theirs) = both(role, &bytes, &[]);
            if code == REGISTERED_LATER {
                assert_eq!(ours.seen, [Seen::Close(Some((code, String::new())))]);
            } else if is_legal(code) {
                assert_eq!(ours, theirs);
            } else {
                assert!(
                    closes_illegally(&ours, &theirs),
                    "{code}: {ours:?}, {theirs:?}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn conversations_in_order_are_received_the_same(
        role in select(&ROLES[..]),
        messages in vec(messages(), 0..5),
        close in proptest::option::of(close_bodies()),
        key in any::<[u8; 4]>(),
        reads in reads(),
    ) {
        let mut frames = conversation(role, key, &messages);
        let is_closed = close.is_some();
        frames.extend(close.map(|body| {
            Frame::new(true, 8, (role == Role::Server).then_some(key), &body)
        }));
        assert_same(role, &frames, &reads);
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        let (ours, _) = both(role, &bytes, &reads);
        // And it is what was sent.
        let expected = messages.iter().map(|message| match message.is_text {
            true => Seen::Text(String::from_utf8(message.payload.clone()).unwrap()),
            false => Seen::Binary(message.payload.clone()),
        });
        let got = ours.seen.into_iter().filter(|seen| matches!(seen, Seen::Text(_) | Seen::Binary(_)));
        prop_assert!(got.eq(expected));
        prop_assert_eq!(ours.end == End::Open, !is_closed);
    }

    #[test]
    fn spoilt_conversations_are_judged_the_same(
        role in select(&ROLES[..]),
        messages in vec(messages(), 1..4),
        spoils in vec((any::<prop::sample::Index>(), spoils()), 1..3),
        key in any::<[u8; 4]>(),
        reads in reads(),
    ) {
        let mut frames = conversation(role, key, &messages);
        for (at, spoil) in spoils {
            let frame = at.get_mut(&mut frames);
            Spoil::apply(&spoil, frame);
        }
        assert_same(role, &frames, &reads);
    }

    #[test]
    fn any_frames_are_judged_the_same(
        role in select(&ROLES[..]),
        frames in vec(
            (any::<[bool; 2]>(), 0..12_u8, vec(any::<u8>(), 0..140), 0..40_u8),
            0..6,
        ),
        reads in reads(),
    ) {
        let frames: Vec<Frame> = frames
            .into_iter()
            .map(|([fin, ascii], opcode, mut payload, odd)| {
                // Most are almost in order, or the first would always be the last.
                let opcode = if opcode == 11 { 0 } else { opcode % 11 };
                if ascii && opcode < 8 {
                    payload.iter_mut().for_each(|byte| *byte &= 0x7F);
                }
                if opcode >= 8 && odd > 3 {
                    payload.truncate(125);
                }
                let key = (role == Role::Server) != (odd == 0);
                let mut frame = Frame::new(
                    fin || opcode >= 8 && odd != 1,
                    if matches!(opcode, 3..=7) && odd > 5 { opcode % 3 } else { opcode },
                    key.then_some([1, 2, 3, 4]),
                    &payload,
                );
                frame.rsv = if odd == 2 { 1 } else { 0 };
                frame
            })
            .collect();
        assert_same(role, &frames, &reads);
    }
}
