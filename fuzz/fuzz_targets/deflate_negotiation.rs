//! Agreeing on compression: whatever is offered, what the server accepts is taken by the client that
//! offered it, both mean the same by it, and messages pass.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sansocket::handshake::Offer;
use sansocket_fuzz::compression::{Wish, agreed, confirm, exchange, negotiate};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    server: Wish,
    client: Wish,
    /// Offers of a client that is not ours.
    offers: &'a [u8],
}

fuzz_target!(|input: Input| {
    let (server, client) = (input.server.config(), input.client.config());
    let [ours, theirs] = negotiate(server, client);
    assert_eq!(ours.map(agreed), theirs.map(agreed));
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        exchange(ours, theirs);
    }

    let version = ("sec-websocket-version", &b"13"[..]);
    let Ok(offer) = Offer::from_headers([version, ("sec-websocket-extensions", input.offers)])
    else {
        return;
    };
    if let Some((answer, ours)) = server.accept(offer.extensions()) {
        let mut takers = offer
            .extensions()
            .iter()
            .filter_map(|offer| confirm(offer, &answer));
        let theirs = takers.find(|theirs| agreed(*theirs) == agreed(ours));
        exchange(ours, theirs.expect("an offer that this answers"));
    }
});
