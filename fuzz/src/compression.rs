//! Agreeing on compression and using it.

use arbitrary::Arbitrary;
use sansocket::handshake::{Extension, client, server};
use sansocket::{
    Config, Connection, DeflateConfig, DeflateParams, Event, ReceiveBuffer, SeededMaskKeys,
};

use crate::{drain, fill};

/// What an endpoint offers or accepts.
#[derive(Arbitrary, Debug)]
pub struct Wish {
    takeover: [bool; 2],
    bits: [u8; 2],
}

impl Wish {
    pub fn config(&self) -> DeflateConfig {
        let [server, client] = self.bits.map(|bits| 7 + bits % 10);
        let config = DeflateConfig::new().memory_level(1).threshold(0).level(1);
        config
            .server_context_takeover(self.takeover[0])
            .client_context_takeover(self.takeover[1])
            .server_max_window_bits(server)
            .client_max_window_bits(client)
    }
}

/// What the server and the client have agreed on, each by its own account.
pub fn negotiate(server: DeflateConfig, client: DeflateConfig) -> [Option<DeflateParams>; 2] {
    let mut rx = ReceiveBuffer::new();
    let request = client::Request::new("ws://example.com/".parse().unwrap());
    let handshake = request.deflate(client).start([7; 16]).unwrap();
    fill(&mut rx, handshake.request());
    let server::Progress::Request(request) =
        server::Handshake::new(Default::default()).receive(&mut rx)
    else {
        panic!("our request refused");
    };
    let accepted = request
        .accept(server::Acceptance::new().deflate(server))
        .unwrap();
    fill(&mut rx, accepted.response());
    match handshake.receive(&mut rx) {
        client::Progress::Response(response) => [accepted.deflate(), response.deflate()],
        other => panic!("our response refused: {other:?}"),
    }
}

/// What both must mean alike.
pub fn agreed(params: DeflateParams) -> (bool, bool, u8, u8) {
    let bits = (
        params.server_max_window_bits(),
        params.client_max_window_bits(),
    );
    (
        params.server_context_takeover(),
        params.client_context_takeover(),
        bits.0,
        bits.1,
    )
}

/// What a client that made this offer takes the answer for (RFC 7692 §7.1), if it does.
pub fn confirm(offer: &Extension, answer: &Extension) -> Option<DeflateParams> {
    let answers = |name| answer.params().any(|(param, _)| param == name);
    let (mut config, mut can_be_told) = (DeflateConfig::new().memory_level(1).threshold(0), false);
    for (name, value) in offer.params() {
        let bits = value.map(|value| value.parse()).transpose().ok()?;
        config = match (name, bits) {
            ("server_no_context_takeover", None) => config.server_context_takeover(false),
            ("client_no_context_takeover", None) => config.client_context_takeover(false),
            ("server_max_window_bits", Some(bits)) => {
                answers(name).then(|| config.server_max_window_bits(bits))?
            }
            ("client_max_window_bits", bits) => {
                can_be_told = true;
                config.client_max_window_bits(bits.unwrap_or(15))
            }
            _ => return None,
        };
    }
    let told = answers("client_max_window_bits");
    let params = config.confirm(answer).filter(|_| can_be_told || !told)?;
    let within = DeflateParams::from(config).server_max_window_bits();
    (params.server_max_window_bits() <= within).then_some(params)
}

/// Two messages each way, the second like the first.
pub fn exchange(server: DeflateParams, client: DeflateParams) {
    let keys = SeededMaskKeys::new([7; 32]);
    let mut server = Connection::server(Config::new()).with_deflate(server);
    let mut client = Connection::client(Config::new(), keys).with_deflate(client);
    let data: Vec<u8> = (0..2000_u32).map(|i| ((i * i) >> 7) as u8).collect();
    for (from, to) in [(0, 1), (1, 0)] {
        let ends = [&mut server, &mut client];
        let (mut sent, mut rx) = (Vec::new(), ReceiveBuffer::new());
        for _ in 0..2 {
            ends[from].send_binary(&data).unwrap();
            drain(ends[from], &mut sent);
            fill(&mut rx, &sent);
            sent.clear();
            let event = ends[to].receive(&mut rx);
            assert!(matches!(event, Ok(Some(Event::Binary(got))) if *got == *data));
        }
    }
}
