//! The example that reads captured bytes: on what the engine writes, whole and broken, and on a capture
//! file made from that.
#![cfg(all(feature = "deflate", feature = "handshake"))]

#[path = "../examples/inspect/analysis.rs"]
mod analysis;
#[path = "../examples/inspect/capture.rs"]
#[allow(dead_code)]
mod capture;
#[path = "../examples/inspect/reader.rs"]
mod reader;

use std::time::Duration;

use bytes::Buf;
use capture::{Conversation, Piece, Side, What, from_hex, read_pcap};
use etherparse::PacketBuilder;
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use sansocket::handshake::server::Acceptance;
use sansocket::handshake::{Limits, client, server};
use sansocket::{
    CloseCode, CloseFrame, Config, Connection, DeflateConfig, ReceiveBuffer, SeededMaskKeys,
};

/// What both sides write in one conversation with compression: request, response, then frames.
fn written() -> Vec<(Side, Vec<u8>)> {
    let request = client::Request::new("ws://example.com/chat".parse().unwrap())
        .deflate(DeflateConfig::new())
        .start([7; 16])
        .unwrap();
    let asked = request.request().to_vec();
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(&asked);
    let server::Progress::Request(received) =
        server::Handshake::new(Limits::new()).receive(&mut rx)
    else {
        panic!("not a request");
    };
    let accepted = received
        .accept(Acceptance::new().deflate(DeflateConfig::new()))
        .unwrap();
    let deflate = accepted.deflate();
    let mut client = Connection::client(Config::new(), SeededMaskKeys::new([1; 32]));
    client = client.with_deflate(deflate);
    let mut server = Connection::server(Config::new()).with_deflate(deflate);
    let mut all = vec![
        (Side::Client, asked),
        (Side::Server, accepted.response().to_vec()),
    ];
    client.send_text(&"all the same ".repeat(50)).unwrap();
    client.ping(b"there?").unwrap();
    all.push((Side::Client, taken(&mut client)));
    let mut rx = ReceiveBuffer::new();
    rx.extend_from_slice(&all[2].1);
    while server.receive(&mut rx).unwrap().is_some() {}
    server.send_binary(&[0xAB; 3]).unwrap();
    all.push((Side::Server, taken(&mut server)));
    client
        .close(CloseFrame::new(CloseCode::NORMAL, "enough"))
        .unwrap();
    all.push((Side::Client, taken(&mut client)));
    all
}

fn taken(connection: &mut Connection) -> Vec<u8> {
    let mut transmit = connection.transmit();
    transmit.copy_to_bytes(transmit.remaining()).to_vec()
}

fn conversation(written: Vec<(Side, Vec<u8>)>) -> Conversation {
    let pieces = written.into_iter().map(|(side, bytes)| Piece {
        time: None,
        side,
        what: What::Bytes(bytes),
    });
    Conversation {
        name: "test".to_owned(),
        pieces: pieces.collect(),
    }
}

fn analysed(conversation: &Conversation) -> (bool, String) {
    let mut out = Vec::new();
    let is_well = analysis::analyse(conversation, &mut out).unwrap();
    (is_well, String::from_utf8(out).unwrap())
}

fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no '{part}' in:\n{text}");
    }
}

const WELL: &[&str] = &[
    "client  GET /chat",
    "server  101: the WebSocket is open",
    "permessage-deflate",
    "RSV1, masked",
    "text, 650 bytes in",
    "\"all the same all",
    "binary, 3 bytes: ababab",
    "closes: 1000 (normal closure): enough",
    "compressed from 650 bytes",
    "closed by the client: 1000",
    "nothing is wrong",
];

#[test]
fn a_conversation_is_told() {
    let (is_well, text) = analysed(&conversation(written()));
    says(&text, WELL);
    assert!(is_well);
}

#[test]
fn two_files_one_after_the_other_are_enough() {
    let mut sides = [Vec::new(), Vec::new()];
    for (side, bytes) in written() {
        sides[side as usize].extend_from_slice(&bytes);
    }
    let [client, server] = sides;
    let both = conversation(vec![(Side::Client, client), (Side::Server, server)]);
    let (_, text) = analysed(&both);
    says(&text, &WELL[..WELL.len() - 1]);
}

#[test]
fn bytes_in_any_pieces_tell_the_same() {
    let whole = analysed(&conversation(written()));
    let bytes = written()
        .into_iter()
        .flat_map(|(side, bytes)| bytes.into_iter().map(move |byte| (side, vec![byte])));
    assert_eq!(analysed(&conversation(bytes.collect())), whole);
}

#[test]
fn what_is_wrong_is_said() {
    let mut unmasked = written();
    unmasked[2].1 = vec![0x81, 0x02, b'h', b'i'];
    says(
        &analysed(&conversation(unmasked)).1,
        &["problem: the client broke the protocol", "1002"],
    );

    let mut refused = written();
    refused[1].1 = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
    says(
        &analysed(&conversation(refused)).1,
        &["server  200 OK", "problem: there is no WebSocket", "proxy"],
    );

    let mut stripped = written();
    stripped[0].1 = b"GET /chat HTTP/1.1\r\nHost: example.com\r\n\r\n".to_vec();
    says(
        &analysed(&conversation(stripped)).1,
        &["problem: the client's request", "proxy"],
    );

    let mut other_key = written();
    let text = String::from_utf8(other_key[1].1.clone()).unwrap();
    other_key[1].1 = text.replace("Accept: ", "Accept: A").into_bytes();
    says(
        &analysed(&conversation(other_key)).1,
        &["problem: there is no WebSocket"],
    );

    let mut cut = written();
    cut[4].1.truncate(3);
    says(
        &analysed(&conversation(cut)).1,
        &["the bytes of the client end amid"],
    );

    let mut unanswered = written();
    unanswered.truncate(3);
    says(
        &analysed(&conversation(unanswered)).1,
        &["a ping of the client was not answered"],
    );
}

#[test]
fn a_silence_before_the_end_is_named() {
    let mut lost = written();
    lost.truncate(4);
    let mut lost = conversation(lost);
    for piece in &mut lost.pieces {
        piece.time = Some(Duration::from_secs(1));
    }
    lost.pieces.push(Piece {
        time: Some(Duration::from_secs(61)),
        side: Side::Server,
        what: What::End,
    });
    says(
        &analysed(&lost).1,
        &[
            "without a Close frame",
            "1006",
            "60.0 s of silence",
            "proxy",
        ],
    );
}

#[test]
fn hexadecimal_digits_are_bytes() {
    assert_eq!(from_hex(b"81 02:68\n69").unwrap(), [0x81, 2, b'h', b'i']);
    assert!(from_hex(b"8").is_err());
    assert!(from_hex(b"8g").is_err());
}

fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

/// A capture of the conversation in segments of 20 bytes: some twice, and each two in the wrong order.
fn captured(link: DataLink) -> Vec<u8> {
    let header = PcapHeader {
        datalink: link,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    let mut sequences = [1000_u32, u32::MAX - 30];
    let mut number = 0;
    let mut write = |side: Side, sequence: u32, syn: bool, fin: bool, bytes: &[u8]| {
        let (from, to) = if side == Side::Client {
            (40_000, 80)
        } else {
            (80, 40_000)
        };
        let mut packet = Vec::new();
        macro_rules! build {
            ($step:expr) => {{
                let mut step = $step
                    .ipv4([127, 0, 0, 1], [127, 0, 0, 1], 64)
                    .tcp(from, to, sequence, 1000);
                if syn {
                    step = step.syn();
                }
                // Only the first segment of a connection has no ACK.
                if !(syn && side == Side::Client) {
                    step = step.ack(1);
                }
                if fin {
                    step = step.fin();
                }
                step.write(&mut packet, bytes).unwrap();
            }};
        }
        match link {
            DataLink::ETHERNET => build!(PacketBuilder::ethernet2([0; 6], [0; 6])),
            _ => {
                let head = match link {
                    DataLink::LINUX_SLL => 16,
                    DataLink::NULL => 4,
                    _ => 20,
                };
                struct Ip;
                impl Ip {
                    fn ipv4(
                        self,
                        from: [u8; 4],
                        to: [u8; 4],
                        hops: u8,
                    ) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
                        PacketBuilder::ipv4(from, to, hops)
                    }
                }
                build!(Ip);
                packet.splice(0..0, vec![0; head]);
            }
        }
        number += 1;
        let time = Duration::from_millis(1_700_000_000_000 + number);
        writer
            .write_packet(&PcapPacket::new(time, size(&packet), &packet))
            .unwrap();
    };
    for side in [Side::Client, Side::Server] {
        write(side, sequences[side as usize], true, false, &[]);
        sequences[side as usize] = sequences[side as usize].wrapping_add(1);
    }
    for (side, bytes) in written() {
        let mut segments = Vec::new();
        for segment in bytes.chunks(20) {
            let sequence = &mut sequences[side as usize];
            segments.push((*sequence, segment));
            *sequence = sequence.wrapping_add(size(segment));
        }
        for pair in segments.chunks(2) {
            for &(sequence, segment) in pair.iter().rev().chain(pair.first()) {
                write(side, sequence, false, false, segment);
            }
        }
    }
    for side in [Side::Client, Side::Server] {
        write(side, sequences[side as usize], false, true, &[]);
    }
    writer.into_writer()
}

#[test]
fn a_capture_of_any_link_tells_the_same() {
    for link in [
        DataLink::ETHERNET,
        DataLink::NULL,
        DataLink::LINUX_SLL,
        DataLink::LINUX_SLL2,
    ] {
        let capture = captured(link);
        let conversations = read_pcap(capture.as_slice(), Some(80)).unwrap();
        assert_eq!(conversations.len(), 1, "{link:?}");
        assert_eq!(conversations[0].name, "127.0.0.1:40000 to 127.0.0.1:80");
        let (is_well, text) = analysed(&conversations[0]);
        says(&text, WELL);
        says(&text, &["answers a ping after", "round trips of pings"]);
        assert!(is_well);
        assert!(read_pcap(capture.as_slice(), Some(81)).unwrap().is_empty());
    }
}
