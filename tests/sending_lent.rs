//! Messages that are lent to be sent: `Connection::transmit_message`.

mod common;

use std::io::IoSlice;

use bytes::Buf;
use common::*;
use sansocket::frame::Opcode;
use sansocket::{CloseCode, Config, Connection, Data, SendError};

/// Writes what it gives, `most` bytes at a time and up to `total`, vectored or not.
fn write(mut from: impl Buf, most: usize, mut total: usize, vectored: bool) -> Vec<u8> {
    let mut written = Vec::new();
    while from.has_remaining() && total > 0 {
        let mut slices = [IoSlice::new(&[]); 3];
        let n = if vectored {
            from.chunks_vectored(&mut slices)
        } else {
            slices[0] = IoSlice::new(from.chunk());
            1
        };
        let before = written.len();
        for slice in &slices[..n] {
            assert!(!slice.is_empty(), "bytes remain, but none are given");
            let room = (most.min(total)).saturating_sub(written.len() - before);
            written.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        let n = written.len() - before;
        total -= n;
        from.advance(n);
    }
    written
}

const SIZES: [usize; 10] = [0, 1, 125, 511, 512, 513, 65_535, 65_536, 70_001, 200_003];

#[test]
fn what_is_lent_arrives_however_the_writes_are_cut_and_wherever_they_end() {
    for side in SIDES {
        for len in SIZES {
            for (most, total) in [
                (1 << 20, 1 << 20),
                (1 << 20, 0),
                (1000, 1500),
                (100_000, 65_600),
                (3, 20),
            ] {
                for vectored in [false, true] {
                    let mut connection = side.connection(Config::new());
                    connection.send_text("before").unwrap();
                    let payload = data(len);
                    let transmit = connection.transmit_message(Data::Binary(&payload)).unwrap();
                    assert!(transmit.remaining() > len);
                    let mut written = write(transmit, most, total, vectored);
                    connection.send_text("behind").unwrap();
                    written.extend(transmit_all(&mut connection));
                    let payloads: Vec<_> = frames(&written)
                        .into_iter()
                        .map(|(_, payload)| payload)
                        .collect();
                    let expected = [b"before".to_vec(), payload, b"behind".to_vec()];
                    assert!(
                        payloads == expected,
                        "{side:?}, {len} bytes, {total} written"
                    );
                }
            }
        }
    }
}

#[test]
fn a_large_payload_is_given_to_the_stream_from_where_it_is() {
    let payload = text(100_000);
    let mut server = Connection::server(Config::new());
    let mut transmit = server.transmit_message(Data::Text(&payload)).unwrap();
    assert_eq!(transmit.remaining(), 100_010);
    let mut slices = [IoSlice::new(&[]); 3];
    assert_eq!(transmit.chunks_vectored(&mut slices), 2);
    assert_eq!(slices[1].as_ptr(), payload.as_ptr());
    transmit.advance(10 + 40_000);
    assert_eq!(transmit.chunk().as_ptr(), payload[40_000..].as_ptr());
    transmit.advance(60_000);
    drop(transmit);
    assert_eq!(server.queued(), 0);
}

#[test]
fn a_client_masks_a_large_payload_in_blocks() {
    let payload = data(1 << 20);
    let mut client = Side::Client.connection(Config::new());
    let mut transmit = client.transmit_message(Data::Binary(&payload)).unwrap();
    let mut written = Vec::new();
    while transmit.has_remaining() {
        let chunk = transmit.chunk();
        assert!(chunk.len() <= 64 * 1024 + 14);
        written.extend_from_slice(chunk);
        let n = chunk.len();
        transmit.advance(n);
    }
    drop(transmit);
    let [(header, sent)] = &frames(&written)[..] else {
        panic!("more frames than one")
    };
    assert!(header.opcode == Opcode::Binary && header.fin);
    assert!(*sent == payload);
}

#[test]
fn what_cannot_be_sent_is_refused_and_leaves_no_trace() {
    let payload = data(5000);
    for side in SIDES {
        let mut connection = side.connection(Config::new().write_limit(1000));
        connection.send_text("first").unwrap();
        let queued = connection.queued();
        let refused = connection.transmit_message(Data::Binary(&payload)).err();
        assert_eq!(refused, Some(SendError::Full(())));
        assert_eq!(connection.queued(), queued);
        transmit_all(&mut connection);
        // An empty queue takes any message; the rest of one counts.
        drop(connection.transmit_message(Data::Binary(&payload)).unwrap());
        assert!(connection.queued() > 5000);
        assert_eq!(connection.send_text("more"), Err(SendError::Full(())));
        connection.close(CloseCode::NORMAL).unwrap();
        let refused = connection.transmit_message(Data::Text("late")).err();
        assert_eq!(refused, Some(SendError::Closing(())));
        let sent = frames(&transmit_all(&mut connection));
        let opcodes: Vec<_> = sent.iter().map(|(header, _)| header.opcode).collect();
        assert_eq!(opcodes, [Opcode::Binary, Opcode::Close]);
    }
}

#[cfg(feature = "deflate")]
#[test]
fn what_is_compressed_is_queued_whole() {
    let payload = text(20_000);
    for side in SIDES {
        let deflate = sansocket::DeflateConfig::new().into();
        let mut connection = side.connection(Config::new()).with_deflate(Some(deflate));
        let transmit = connection.transmit_message(Data::Text(&payload)).unwrap();
        assert!(transmit.remaining() < 10_000);
        drop(transmit);
        let sent = frames(&transmit_all(&mut connection));
        assert!(sent.len() == 1 && sent[0].0.rsv1);
    }
}

#[test]
fn a_pong_that_waits_for_another_never_lands_inside_of_a_lent_frame() {
    let payload = data(150_000);
    for side in SIDES {
        for most in [1, 7, 100, 5000, 1 << 20] {
            let mut endpoint = side.endpoint(Config::new());
            for ping in [b"1", b"2", b"3"] {
                endpoint.feed(&side.ping(ping));
            }
            let connection = &mut endpoint.connection;
            let message = Data::Binary(&payload);
            let transmit = connection.transmit_message(message).unwrap();
            let mut written = write(transmit, most, 100_000, true);
            written.extend(transmit_all(connection));
            let sent = frames(&written);
            let opcodes: Vec<_> = sent.iter().map(|(header, _)| header.opcode).collect();
            assert_eq!(opcodes, [Opcode::Pong, Opcode::Pong, Opcode::Binary]);
            assert_eq!((&sent[0].1[..], &sent[1].1[..]), (&b"1"[..], &b"3"[..]));
            assert!(sent[2].1 == payload);
        }
    }
}

#[test]
fn a_client_s_payload_is_masked_right_behind_whatever_is_skipped() {
    let payload = data(200_000);
    let whole = {
        let mut client = Side::Client.connection(Config::new());
        client.send_binary(&payload).unwrap();
        transmit_all(&mut client)
    };
    for skip in [1, 13, 14, 65_550, 65_551, 100_001, 200_013] {
        let mut client = Side::Client.connection(Config::new());
        let mut transmit = client.transmit_message(Data::Binary(&payload)).unwrap();
        transmit.advance(skip);
        let rest = write(transmit, 1 << 20, 1 << 20, true);
        assert!(rest == whole[skip..], "{skip} bytes");
    }
}

#[test]
fn what_is_lent_is_not_shown_by_debugging() {
    let payload = [b'x'; 70_000];
    let mut client = Side::Client.connection(Config::new());
    let transmit = client.transmit_message(Data::Binary(&payload)).unwrap();
    assert_eq!(
        format!("{transmit:?}"),
        "TransmitMessage { remaining: 70014, .. }"
    );
}
