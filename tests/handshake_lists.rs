//! Properties of the handshake over random input: no panic, linear, and both roles agree.
#![cfg(feature = "handshake")]

use proptest::collection::vec;
use proptest::prelude::*;
use sansocket::ReceiveBuffer;
use sansocket::handshake::{
    Extension, Limits, ListError, Offer, OriginAllowList, RequestError, WsUri, client, server,
};

const TOKEN: &str = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}";

fn offer(extensions: &[u8]) -> Result<Offer, RequestError> {
    Offer::from_headers([
        ("sec-websocket-version", &b"13"[..]),
        ("sec-websocket-extensions", extensions),
    ])
}

/// Both outcomes of a server, as text.
fn serve(parts: &[&[u8]]) -> String {
    let mut rx = ReceiveBuffer::new();
    let mut handshake = server::Handshake::new(Limits::new());
    for part in parts {
        rx.extend_from_slice(part);
        match handshake.receive(&mut rx) {
            server::Progress::Incomplete(again) => handshake = again,
            server::Progress::Request(request) => return format!("{request:?}"),
            server::Progress::Refused(refusal) => {
                assert!(!refusal.response().is_empty());
                return format!("{refusal:?}");
            }
        }
    }
    "incomplete".into()
}

fn respond(parts: &[&[u8]]) -> String {
    let mut rx = ReceiveBuffer::new();
    let uri: WsUri = "ws://a".parse().unwrap();
    let mut handshake = client::Request::new(uri).start([7; 16]).unwrap();
    for part in parts {
        rx.extend_from_slice(part);
        match handshake.receive(&mut rx) {
            client::Progress::Incomplete(again) => handshake = again,
            client::Progress::Response(response) => return format!("{response:?}"),
            client::Progress::Failed(error) => return format!("{error:?} {error}"),
        }
    }
    "incomplete".into()
}

/// Bytes in which the characters that mean something are frequent.
fn list_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => prop::sample::select(b"ab,;=\"\\ \t/".to_vec()),
        1 => any::<u8>(),
    ];
    vec(byte, 0..200)
}

/// Lines out of pieces that a head is made of.
fn head_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "GET / HTTP/1.1\r\n",
            "HTTP/1.1 101 x\r\n",
            "Host: a\r\n",
            "Upgrade: websocket\r\n",
            "Connection: upgrade\r\n",
            "Sec-WebSocket-Version: 13\r\n",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            "Sec-WebSocket-Extensions: ",
            "\r\n",
            "\n",
            ": ",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        list_bytes(),
    ];
    let start = prop::sample::select(vec!["GET / HTTP/1.1\r\n", "HTTP/1.1 101 x\r\n", ""]);
    (start, vec(piece, 0..12)).prop_map(|(start, pieces)| {
        let mut bytes = start.as_bytes().to_vec();
        bytes.extend(pieces.concat());
        bytes
    })
}

fn extension() -> impl Strategy<Value = Extension> {
    (TOKEN, vec((TOKEN, proptest::option::of(TOKEN)), 0..4)).prop_map(|(name, params)| {
        params
            .into_iter()
            .try_fold(
                Extension::new(name).unwrap(),
                |extension, (name, value)| match value {
                    Some(value) => extension.param(name, value),
                    None => extension.flag(name),
                },
            )
            .unwrap()
    })
}

proptest! {
    #[test]
    fn random_lists_do_not_panic(bytes in list_bytes()) {
        let _ = offer(&bytes);
    }

    #[test]
    fn random_heads_do_not_panic_and_any_split_gives_the_same(
        bytes in head_bytes(),
        at in any::<prop::sample::Index>(),
    ) {
        let (first, second) = bytes.split_at(at.index(bytes.len() + 1));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(serve(&[first, second]), serve(&[&bytes]));
        prop_assert_eq!(serve(&single), serve(&[&bytes]));
        prop_assert_eq!(respond(&[first, second]), respond(&[&bytes]));
        prop_assert_eq!(respond(&single), respond(&[&bytes]));
    }

    #[test]
    fn random_text_is_no_uri_and_no_origin_or_a_good_one(text in "\\PC{0,40}|wss?://[a-z0-9\\[\\]:/?#@.%]{0,20}") {
        if let Ok(uri) = text.parse::<WsUri>() {
            prop_assert_eq!(&uri.to_string().parse::<WsUri>().unwrap(), &uri);
        }
        if let Ok(list) = OriginAllowList::new([text.as_str()]) {
            prop_assert!(list.allows(Some(&text)));
        }
    }

    #[test]
    fn an_extension_that_is_written_is_read_the_same(list in vec(extension(), 1..5)) {
        let text = list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        prop_assert_eq!(offer(text.as_bytes()).unwrap().extensions().to_vec(), list);
    }

    #[test]
    fn each_role_accepts_what_the_other_builds(
        uri in "wss?://([a-z]{1,9}|\\[::1\\]|127\\.0\\.0\\.1)(:[1-9][0-9]{0,3})?(/[!-\"$-~]{0,20})?",
        subprotocols in prop::collection::btree_set(TOKEN, 0..4),
        extensions in vec(extension(), 0..4),
        origin in proptest::option::of("https?://[a-z]{1,9}"),
        headers in vec((TOKEN.prop_map(|name| format!("X-{name}")), "[!-~]([ -~]{0,20}[!-~])?"), 0..6),
        nonce in any::<[u8; 16]>(),
    ) {
        let mut request = client::Request::new(uri.parse().unwrap());
        for name in &subprotocols {
            request = request.subprotocol(name);
        }
        for extension in &extensions {
            request = request.extension(extension.clone());
        }
        if let Some(origin) = &origin {
            request = request.origin(origin);
        }
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let resource_name = request.uri().resource_name().to_owned();
        let client = request.start(nonce).unwrap();

        let mut rx = ReceiveBuffer::new();
        rx.extend_from_slice(client.request());
        let received = match server::Handshake::new(Limits::new()).receive(&mut rx) {
            server::Progress::Request(received) => received,
            other => panic!("{other:?}"),
        };
        prop_assert!(rx.is_empty());
        prop_assert_eq!(received.resource_name(), resource_name);
        prop_assert_eq!(received.origin(), origin.as_deref());
        prop_assert!(received.subprotocols().eq(subprotocols.iter()));
        prop_assert_eq!(received.extensions(), &extensions[..]);
        for (name, value) in &headers {
            let mut all = received.headers().get_all(name);
            prop_assert!(all.any(|other| other == value.as_bytes()));
        }

        let mut acceptance = server::Acceptance::new();
        if let Some(name) = subprotocols.last() {
            acceptance = acceptance.subprotocol(name);
        }
        if let Some(extension) = extensions.last() {
            acceptance = acceptance.extension(extension.clone());
        }
        for (name, value) in &headers {
            acceptance = acceptance.header(name, value);
        }
        let accepted = received.accept(acceptance).unwrap();
        rx.extend_from_slice(accepted.response());
        let response = match client.receive(&mut rx) {
            client::Progress::Response(response) => response,
            other => panic!("{other:?}"),
        };
        prop_assert!(rx.is_empty());
        prop_assert_eq!(response.subprotocol(), subprotocols.last().map(String::as_str));
        prop_assert_eq!(response.extensions(), accepted.extensions());
    }
}

#[test]
fn long_lists_are_read_in_linear_time() {
    // A tokenizer that backs up would need hours for one of these.
    let size = 4 * 1024 * 1024;
    let quoted = [&b"a;b=\""[..], &b"\\a".repeat(size / 2), b"\""].concat();
    assert_eq!(offer(&quoted).unwrap().extensions().len(), 1);
    assert!(offer(&[&b" ,".repeat(size / 2)[..], b"a"].concat()).is_ok());
    assert!(offer(&[&b"a"[..], &b" ".repeat(size), b"b"].concat()).is_err());
    let too_many = RequestError::List {
        header: "Sec-WebSocket-Extensions",
        error: ListError::TooMany,
    };
    assert_eq!(offer(&b"a,".repeat(size)), Err(too_many.clone()));
    assert_eq!(
        offer(&[&b"a"[..], &b";b".repeat(size)].concat()),
        Err(too_many)
    );
}
