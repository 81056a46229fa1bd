//! Text that is almost UTF-8, judged as `core::str` does, and as tungstenite does, however it is cut.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sansocket_differential::generate::reads;
use sansocket_differential::{End, Frame, ROLES, Role, Seen, cases, ours, theirs};

/// Good text with a few bytes changed, taken out or put in.
fn almost_texts() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        "[a-zé€😀\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10000}\u{10FFFF}]{0,100}",
        any::<String>(),
        "[€😀]{100,2000}",
    ];
    let odd = select(vec![
        0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xE0, 0xED, 0xF0, 0xF4, 0xF5, 0xFF,
    ]);
    let change = (any::<prop::sample::Index>(), 0..4_u8, odd);
    (text, vec(change, 0..3)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (at, kind, byte) in changes {
            let at = at.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 if at < bytes.len() => bytes[at] = byte,
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_text_is_one_if_core_says_so(
        role in select(&ROLES[..]),
        bytes in almost_texts(),
        cuts in vec(0..60_usize, 0..8),
        reads in reads(),
    ) {
        let key = (role == Role::Server).then_some([0xAA, 0x55, 0x00, 0xFF]);
        let (mut stream, mut rest, mut opcode) = (Vec::new(), &bytes[..], 1);
        for cut in cuts {
            let (part, more) = rest.split_at(cut.min(rest.len()));
            Frame::new(false, opcode, key, part).encode(&mut stream);
            (rest, opcode) = (more, 0);
        }
        Frame::new(true, opcode, key, rest).encode(&mut stream);

        let got = ours::receive(&mut ours::connection(role), role, &stream, &reads);
        let theirs = theirs::receive(&mut theirs::websocket(role, &stream, &reads), role);
        prop_assert_eq!(&got.seen, &theirs.seen);
        match std::str::from_utf8(&bytes) {
            Ok(text) => {
                prop_assert_eq!(got.seen, [Seen::Text(text.into())]);
                prop_assert_eq!(got.end, End::Open);
                prop_assert_eq!(theirs.end, End::Open);
            }
            Err(_) => {
                prop_assert_eq!(got.seen, []);
                prop_assert_eq!(got.end, End::Failed("InvalidUtf8".into()));
                prop_assert!(matches!(theirs.end, End::Failed(_)));
                let (opcode, body) = &got.answers[0];
                prop_assert_eq!((*opcode, &body[..2]), (8, &1007_u16.to_be_bytes()[..]));
            }
        }
    }
}
