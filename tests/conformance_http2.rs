//! The part of the opening handshake that HTTP/2 shares (RFC 8441 §5): header pairs in, header pairs
//! out, without what belongs to HTTP/1.1 alone.
#![cfg(feature = "handshake")]

use sansocket::handshake::{Answer, Extension, Headers, Offer, RequestError};

fn offer() -> Offer {
    Offer::new()
        .with_subprotocol("chat")
        .and_then(|offer| offer.with_origin("https://example.com"))
        .unwrap()
        .with_extension(Extension::new("x-a").unwrap())
}

fn answer() -> Answer {
    let extension = Extension::new("x-a").unwrap();
    offer().answer(Some("chat"), [extension]).unwrap()
}

fn names(headers: &Headers) -> Vec<String> {
    headers
        .into_iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect()
}

#[test]
fn what_is_negotiated_apart_from_http_1_has_none_of_its_headers() {
    assert_eq!(
        names(&offer().headers()),
        [
            "sec-websocket-version",
            "sec-websocket-protocol",
            "sec-websocket-extensions",
            "origin"
        ]
    );
    assert_eq!(
        names(&answer().headers()),
        ["sec-websocket-protocol", "sec-websocket-extensions"]
    );
}

#[test]
fn an_offer_in_headers_is_answered_in_headers() {
    let read = Offer::from_headers(&offer().headers()).unwrap();
    assert_eq!(read, offer());
    assert_eq!(offer().check_answer(&answer().headers()), Ok(answer()));
    let old = [("sec-websocket-version", &b"8"[..])];
    assert_eq!(
        Offer::from_headers(old),
        Err(RequestError::UnsupportedVersion)
    );
}
