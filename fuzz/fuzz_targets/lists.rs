//! Lists of subprotocols and extensions: read as a naive parser reads them, written so that they
//! read the same, and an answer to them is taken by who offered them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::handshake::{Extension, Offer, RequestError};
use sansocket_fuzz::others::{MOST_ELEMENTS, list};

const PROTOCOL: &str = "Sec-WebSocket-Protocol";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

fuzz_target!(|input: &[u8]| {
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let joined = lines.join(&b", "[..]);
    for name in [PROTOCOL, EXTENSIONS] {
        let offer = offer(name, &lines);
        let naive = list(&lines, name == EXTENSIONS);
        if name == PROTOCOL {
            let distinct =
                naive.filter(|list| (1..list.len()).all(|i| !list[..i].contains(&list[i])));
            let read = offer.as_ref().ok();
            assert_eq!(
                read.map(|offer| offer.subprotocols().map(str::to_owned).collect()),
                distinct
            );
        } else if !input.contains(&b'"') {
            let read = offer.as_ref().ok();
            let read = read.map(|offer| {
                offer
                    .extensions()
                    .iter()
                    .map(Extension::to_string)
                    .collect()
            });
            assert_eq!(read, naive);
        }
        let Ok(offer) = offer else { continue };
        // RFC 9110 §5.3: lines may be joined.
        assert_eq!(self::offer(name, &[&joined]).as_ref(), Ok(&offer));
        assert_eq!(
            Offer::from_headers(offer.headers().iter()).as_ref(),
            Ok(&offer)
        );
        assert!(
            offer.extensions().len() <= MOST_ELEMENTS
                && offer.subprotocols().count() <= MOST_ELEMENTS
        );

        let mut extensions: Vec<_> = offer.extensions().to_vec();
        extensions.sort_by(|a, b| a.name().cmp(b.name()));
        extensions.dedup_by(|a, b| a.name() == b.name());
        let answer = offer
            .answer(offer.subprotocols().last(), extensions)
            .unwrap();
        assert_eq!(offer.check_answer(answer.headers().iter()), Ok(answer));
        // What was offered is no answer unless it is one choice.
        let echoed = offer.check_answer(lines.iter().map(|line| (name, *line)));
        assert!(echoed.is_err() || offer.subprotocols().count() <= 1);
    }
});

fn offer(name: &str, lines: &[&[u8]]) -> Result<Offer, RequestError> {
    let version = ("sec-websocket-version", &b"13"[..]);
    Offer::from_headers(lines.iter().map(|line| (name, *line)).chain([version]))
}
