//! Writes the seeds that are made by the crate's own encoder to `fuzz/generated`: frames after the
//! cases of the Autobahn Testsuite, compressed messages, lists, and operations in any order.

use std::fs;
use std::io::Result;
use std::path::Path;

use sansocket::frame::Opcode::{self, *};
use sansocket::{Chunk, Config, Connection, DeflateConfig};
use sansocket_fuzz::{Flags, drain, frame, frames, stored};

/// A frame: opcode, FIN, RSV1, payload.
type Frame = (Opcode, bool, bool, Vec<u8>);

fn main() -> Result<()> {
    for client in [0, 1] {
        for chunks in [0, 2] {
            for deflate in [0, 0x40, 0xC0] {
                let flags = Flags(client | chunks | deflate);
                write_frames(flags)?;
                write_texts(flags)?;
                write_compressed(flags)?;
            }
        }
    }
    write_masked()?;
    write_lists()?;
    write_scenes()?;
    write_operations()
}

fn write(target: &str, name: &str, parts: &[&[u8]]) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("generated")
        .join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), parts.concat())
}

/// Autobahn's section 6, and every length of a character cut short.
const TEXTS: &[&[u8]] = &[
    b"",
    b"Hello",
    "κόσμε".as_bytes(),
    b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited",
    b"\xCE\xBA\xE1\xBD\xB9\xF4\x90\x80\x80\x65",
    b"\xC0\x80\xE0\x80\x80",
    b"a\xC2",
    b"a\xE2\x82",
    b"a\xF0\x9F\x98",
    b"\xF4\x8F\xBF\xBF\xEF\xBF\xBF\xED\x9F\xBF\xEE\x80\x80",
    b"\xFF",
    b"0123456789012345678901234567890123456789012345678901234567890123456789\xE2\x82\xACx\x80",
];

fn cases() -> Vec<(&'static str, Vec<Frame>)> {
    let data = |opcode, fin, payload: &[u8]| (opcode, fin, false, payload.to_vec());
    let sized = |size| data(Binary, true, &vec![0xFE; size]);
    let mut cases = vec![
        (
            "sizes",
            [0, 1, 125, 126, 127, 128, 255, 256, 300].map(sized).into(),
        ),
        ("frame-too-big", vec![sized(301)]),
        (
            "message-too-big",
            vec![
                data(Binary, false, &[1; 250]),
                data(Continuation, true, &[2; 250]),
            ],
        ),
        (
            "pings",
            vec![
                data(Ping, true, b""),
                data(Ping, true, &[7; 125]),
                data(Pong, true, b"?"),
            ],
        ),
        ("many-pings", vec![data(Ping, true, b"payload"); 10]),
        (
            "ping-amid-fragments",
            vec![
                data(Text, false, b"frag"),
                data(Ping, true, b"!"),
                data(Continuation, false, b""),
                data(Continuation, true, "é".as_bytes()),
                data(Text, true, b"next"),
            ],
        ),
        ("nothing-to-continue", vec![data(Continuation, true, b"x")]),
        (
            "not-continued",
            vec![data(Text, false, b"x"), data(Text, true, b"y")],
        ),
        ("empty-fragments", vec![data(Text, false, b""); 1]),
        ("too-many-fragments", {
            let mut frames = vec![data(Continuation, false, b"x"); 10];
            frames[0].0 = Binary;
            frames
        }),
        ("reserved-bit", vec![(Text, true, true, b"x".to_vec())]),
        (
            "reserved-bit-of-a-ping",
            vec![(Ping, true, true, b"x".to_vec())],
        ),
    ];
    // Section 7: bodies of Close frames.
    for body in [
        &b""[..],
        b"\x03",
        b"\x03\xE8",
        b"\x03\xE8bye",
        b"\x03\xE8\xC3",
        b"\x03\xED",
        b"\x03\xE7",
        b"\x03\xF7",
        b"\x0B\xB8",
        b"\x13\x88",
    ] {
        cases.push(("close", vec![sized(3), data(Close, true, body), sized(3)]));
    }
    cases
}

/// With the first bytes that each target takes for choices.
fn write_received(name: &str, flags: Flags, wire: &[u8]) -> Result<()> {
    let name = format!("{name}-{:02x}", flags.0);
    write("receive", &name, &[&[flags.0 | 4, 20], wire])?;
    write("split", &name, &[&[flags.0 | 12, 3, 1, 20], wire])
}

fn write_frames(flags: Flags) -> Result<()> {
    for (i, (name, frames)) in cases().into_iter().enumerate() {
        let wire = frames.iter().flat_map(|(opcode, fin, rsv1, payload)| {
            frame(!flags.client(), *opcode, *fin, *rsv1, payload)
        });
        write_received(&format!("{name}-{i}"), flags, &wire.collect::<Vec<_>>())?;
    }
    write_received("reserved-opcode", flags, &[0x83, 0x00])?;
    write_received(
        "huge-length",
        flags,
        &[0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255],
    )?;
    write_received(
        "wrong-mask",
        flags,
        &frame(flags.client(), Text, true, false, b"x"),
    )
}

fn write_texts(flags: Flags) -> Result<()> {
    for (i, text) in TEXTS.iter().enumerate() {
        let name = format!("text-{i}");
        write(
            "utf8",
            &format!("{name}-{:02x}", flags.0),
            &[&[flags.0, 3, 7, 5, 2], text],
        )?;
        let wire = frame(!flags.client(), Text, true, false, text);
        write_received(&name, flags, &wire)?;
        let mut cut = frame(!flags.client(), Text, false, false, &text[..text.len() / 2]);
        cut.extend(frame(
            !flags.client(),
            Continuation,
            true,
            false,
            &text[text.len() / 2..],
        ));
        write_received(&format!("{name}-in-fragments"), flags, &cut)?;
        if flags.deflate().is_some() {
            let wire = frame(!flags.client(), Text, true, true, &stored(text));
            write_received(&format!("{name}-stored"), flags, &wire)?;
        }
    }
    Ok(())
}

/// What the peer sends when it compresses.
fn write_compressed(flags: Flags) -> Result<()> {
    let Some(deflate) = flags.deflate() else {
        return Ok(());
    };
    let peer = Flags(flags.0 ^ 1);
    let text = "compressible, compressible, compressible. ".repeat(5);
    type Send = fn(&mut Connection, &str);
    let sends: [(&str, Send); 4] = [
        ("twice", |peer, text| {
            peer.send_text(text).unwrap();
            peer.send_text(text).unwrap();
        }),
        ("in-chunks", |peer, text| {
            peer.send_chunk(Chunk::text(text)).unwrap();
            peer.ping(b"amid").unwrap();
            peer.send_chunk(Chunk::text("")).unwrap();
            peer.send_chunk(Chunk::text(text).last()).unwrap();
        }),
        ("bomb", |peer, _| peer.send_binary(&[0; 500_000]).unwrap()),
        ("both-kinds", |peer, text| {
            peer.send_text(text).unwrap();
            peer.set_compression(false);
            peer.send_binary(text.as_bytes()).unwrap();
        }),
    ];
    for (name, send) in sends {
        for (effort, deflate) in [("", deflate), ("-stored", deflate.level(0))] {
            let params = DeflateConfig::into(deflate);
            let mut connection = Flags(peer.0 & 1).connection(Config::new());
            connection = connection.with_deflate(Some(params));
            send(&mut connection, &text);
            let mut wire = Vec::new();
            drain(&mut connection, &mut wire);
            if wire.len() > 1800 {
                continue;
            }
            write_received(&format!("deflate-{name}{effort}"), flags, &wire)?;
            for (i, (_, payload)) in frames(&wire, peer.client()).iter().enumerate() {
                for limit in [0x0100_u16, 0xFFFF] {
                    let [low, high] = limit.to_le_bytes();
                    let name = format!("{name}{effort}-{i}-{limit}-{:02x}", flags.0);
                    write("inflate", &name, &[&[flags.0 | 8, low, high, 40], payload])?;
                }
            }
        }
    }
    // Blocks marked as final, and a block that is none.
    for (name, payload) in [
        ("final", &b"\x4B\x04\x00"[..]),
        ("final-twice", b"\x4B\x04\x00\x4B\x04\x00"),
        ("final-stored", b"\x01\x01\x00\xFE\xFFa\x00"),
        ("garbage", b"\x06\x07\x08"),
        ("too-far-back", b"\x4B\x04\x82\x00"),
    ] {
        let name = format!("{name}-{:02x}", flags.0);
        write("inflate", &name, &[&[flags.0, 0, 1, 3], payload])?;
    }
    Ok(())
}

fn write_masked() -> Result<()> {
    for (len, before) in [
        (0_u16, 0),
        (3, 1),
        (7, 5),
        (17, 3),
        (255, 2),
        (1029, 125),
        (22_000, 0xFA),
    ] {
        let offset = u64::from(len).to_le_bytes();
        let parts: [&[u8]; 5] = [
            b"\x37\xFA\x21\x3D",
            &offset,
            &len.to_le_bytes(),
            &[before, 5, 0],
            b"pattern",
        ];
        write("unmask", &len.to_string(), &parts)?;
    }
    Ok(())
}

fn write_lists() -> Result<()> {
    let offers = [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=\"12\", permessage-deflate",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; client_max_window_bits=7, mux; max-channels=4; flow-control, deflate-stream",
        "a;b=\"c\\d\" ,, \t x\nchat, superchat",
        "chat,chat",
        "a; b=\"not a token\"",
    ];
    let lengths = [
        "a,".repeat(129),
        format!("a{}", ";b".repeat(129)),
        "a,".repeat(128),
    ];
    let offers = offers.into_iter().chain(lengths.iter().map(String::as_str));
    for (i, offer) in offers.enumerate() {
        write("lists", &i.to_string(), &[offer.as_bytes()])?;
        for (j, wishes) in [[1, 1, 8, 8, 1, 1, 8, 8], [0, 1, 3, 5, 1, 0, 4, 2]]
            .iter()
            .enumerate()
        {
            write(
                "deflate_negotiation",
                &format!("{i}-{j}"),
                &[wishes, offer.as_bytes()],
            )?;
        }
    }
    Ok(())
}

/// How many kinds of them there are.
const OPERATIONS: u32 = 13;

/// An operation of `pair`, by one end or the other, as `Arbitrary` reads it.
fn operation(second: bool, op: u32, arguments: &[&[u8]]) -> Vec<u8> {
    let arguments = arguments.concat();
    [
        &[1, u8::from(second)][..],
        &variant(op, OPERATIONS.into()),
        &arguments,
    ]
    .concat()
}

/// Conversations that chance seldom comes upon, in every role, delivery and compression.
fn write_scenes() -> Result<()> {
    let short = |text: u8| [&[text, 7][..], &variant(0, 3), &[20]].concat();
    let medium = |size: u16| [&[0, 7][..], &variant(1, 3), &size.to_le_bytes()].concat();
    let large = [&[0, 7][..], &variant(2, 3), &[30]].concat();
    let all = [&[0xFF, 0xFF][..], &[50]];
    for (flags, options, swap) in (0..30).map(|i| (i % 3, i / 3 % 5, i >= 15)) {
        let op = |second: bool, op, arguments: &[&[u8]]| operation(second != swap, op, arguments);
        let to_first = [op(true, 9, &all[..1]), op(false, 10, &all)].concat();
        let to_second = [op(false, 9, &all[..1]), op(true, 10, &all)].concat();
        let pings = [op(true, 4, &[&[3]]), op(true, 4, &[&[0]])].concat();
        let scenes: [Vec<Vec<u8>>; 6] = [
            // Two pongs wait, the second of them for the first to leave, when a message is lent.
            vec![
                pings.clone(),
                to_first.clone(),
                op(false, 2, &[&medium(9000), &[200, 0, 0, 0, 0, 0]]),
                to_second.clone(),
                op(false, 2, &[&large, &[0, 0x80, 0xFF, 0xFF, 1, 0]]),
                to_second.clone(),
            ],
            // A message in chunks, with control frames between.
            vec![
                op(false, 3, &[&short(1), &[0]]),
                op(false, 4, &[&[9]]),
                pings,
                op(false, 6, &[]),
                to_first.clone(),
                op(false, 3, &[&short(1), &[0]]),
                op(false, 0, &[&short(0)]),
                to_second.clone(),
                op(false, 3, &[&short(1), &[1]]),
            ],
            // The link breaks amid a large message.
            vec![
                op(false, 1, &[&large]),
                op(false, 0, &[&short(1)]),
                op(false, 9, &[&30_000_u16.to_le_bytes()]),
                op(true, 10, &[&20_000_u16.to_le_bytes(), &[1]]),
                op(false, 11, &[&[100, 0]]),
            ],
            // A keep-alive ping that is answered, one that is not, and one that cannot leave.
            vec![
                op(false, 8, &[&[61]]),
                to_second.clone(),
                to_first.clone(),
                op(false, 8, &[&[61]]),
                op(false, 1, &[&large]),
                op(false, 9, &[&all[0][..1], &[0]]),
                op(false, 8, &[&[21]]),
                op(false, 8, &[&[200]]),
            ],
            // Prepared messages among others, which may refer to what came before.
            vec![
                op(false, 0, &[&medium(900)]),
                op(false, 12, &[&medium(900)]),
                op(false, 0, &[&medium(900)]),
                op(false, 0, &[&medium(900)]),
                op(false, 12, &[&large]),
                op(false, 12, &[&short(1)]),
                op(false, 1, &[&medium(9000)]),
                to_second.clone(),
                to_second.clone(),
            ],
            // Closing while messages are under way in both directions.
            vec![
                op(false, 0, &[&short(1)]),
                op(true, 1, &[&medium(9000)]),
                op(true, 9, &[&[100, 0]]),
                op(false, 5, &[]),
                to_second,
                op(true, 0, &[&short(1)]),
                to_first,
                op(false, 8, &[&[11]]),
            ],
        ];
        let head = [[0, 0x40, 0xC0][flags], [0, 2, 0x20, 0x62, 0x0C][options], 0];
        for (i, scene) in scenes.iter().enumerate() {
            let name = format!("scene-{i}-{flags}-{options}-{swap}");
            write("pair", &name, &[&head, &scene.concat()])?;
        }
    }
    Ok(())
}

/// Operations as `Arbitrary` reads them, chosen by a generator of numbers.
fn write_operations() -> Result<()> {
    let mut state = 7_u32;
    let mut below = move |n: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % n
    };
    for i in 0..60 {
        let mut bytes: Vec<u8> = (0..3).map(|_| below(256) as u8).collect();
        for _ in 0..3 + i * 3 / 4 {
            bytes.extend([1, below(2) as u8]);
            let op = below(2 * OPERATIONS);
            // Writing and reading as often as all others.
            let op = if op >= OPERATIONS { 9 + op % 2 } else { op };
            bytes.extend(variant(op, OPERATIONS.into()));
            if op <= 3 || op == 12 {
                bytes.extend([below(2) as u8, below(256) as u8]);
                let size = [0, 0, 0, 1, 1, 2][below(6) as usize];
                bytes.extend(variant(size, 3));
                bytes.extend((0..if size == 1 { 2 } else { 1 }).map(|_| below(256) as u8));
            }
            let more = [0, 0, 6, 1, 1, 0, 0, 1, 1, 2, 3, 2, 0][op as usize];
            bytes.extend((0..more).map(|_| below(256) as u8));
        }
        write("pair", &format!("operations-{i}"), &[&bytes])?;
    }
    Ok(())
}

fn variant(index: u32, of: u64) -> [u8; 4] {
    let step = (1 << 32) / of;
    ((u64::from(index) * step + step / 2) as u32).to_le_bytes()
}
