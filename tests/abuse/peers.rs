//! Peers that are slow, silent, greedy, broken or gone. Each gives the connections that it leaves open.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use sansocket::frame::{Header, Opcode};
use socket2::SockRef;

use crate::PATIENCE;
use crate::common::requests::{LINES, head};
use crate::common::stalling::chance;
use crate::common::{Side, complete_frames};

/// Connections that are open at a time, where there are many in all.
const BATCH: usize = 250;

/// A connection that says nothing yet.
pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&addr, PATIENCE).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection on which frames may follow.
pub(crate) fn opened(addr: SocketAddr) -> TcpStream {
    let mut stream = connect(addr);
    stream.write_all(&head(&LINES)).unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        response.extend(byte);
    }
    assert!(response.starts_with(b"HTTP/1.1 101 "));
    stream
}

/// What the server says to a request, until it ends the connection.
pub(crate) fn answer(mut stream: TcpStream) -> String {
    // The server may have gone by now.
    let _ = stream.write_all(&head(&LINES));
    String::from_utf8(rest_of(&mut stream)).unwrap()
}

/// All that comes until the server ends the connection.
fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    bytes
}

/// Reads until there is a frame like this; gives its payload.
fn next_frame(stream: &mut TcpStream, opcode: Opcode) -> Vec<u8> {
    let (mut bytes, mut room) = (Vec::new(), [0; 4096]);
    loop {
        let n = stream.read(&mut room).unwrap();
        assert_ne!(n, 0, "the end instead of a frame");
        bytes.extend_from_slice(&room[..n]);
        let (frames, rest) = complete_frames(&bytes);
        let found = frames.into_iter().find(|(h, _)| h.opcode == opcode);
        if let Some((_, payload)) = found {
            return payload;
        }
        bytes = rest.to_vec();
    }
}

/// Whether the server has ended the connection.
fn has_ended(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let read = stream.read(&mut [0; 512]);
    stream.set_nonblocking(false).unwrap();
    match read {
        Ok(n) => n == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// Ends a connection by a reset.
fn reset(stream: TcpStream) {
    let socket = SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

/// Their requests come byte by byte, and would take a minute: their time ends before.
pub(crate) fn slow_heads(addr: SocketAddr) -> Vec<TcpStream> {
    let mut peers: Vec<_> = (0..32).map(|_| connect(addr)).collect();
    let began = Instant::now();
    for byte in head(&LINES) {
        // One that has been ended is written to no more.
        peers.retain_mut(|stream| !has_ended(stream) && stream.write_all(&[byte]).is_ok());
        if peers.is_empty() {
            return peers;
        }
        assert!(began.elapsed() < PATIENCE, "there are {} left", peers.len());
        thread::sleep(Duration::from_millis(250));
    }
    panic!("{} were let in", peers.len());
}

/// Their messages come byte by byte. Those that arrive are echoed; the other half leaves before.
pub(crate) fn slow_bodies(addr: SocketAddr) -> Vec<TcpStream> {
    let mut peers: Vec<_> = (0..32).map(|_| opened(addr)).collect();
    let message = [7; 200];
    for byte in Side::Server.binary(&message) {
        for stream in &mut peers {
            stream.write_all(&[byte]).unwrap();
        }
        thread::sleep(Duration::from_millis(10));
    }
    for stream in &mut peers {
        assert_eq!(next_frame(stream, Opcode::Binary), message);
        stream
            .write_all(&Side::Server.binary(&message)[..100])
            .unwrap();
    }
    Vec::new()
}

/// They say nothing, or half of a request. Most of them leave, and some stay.
pub(crate) fn half_open(addr: SocketAddr) -> Vec<TcpStream> {
    let request = head(&LINES);
    let mut left = Vec::new();
    for _ in 0..4 {
        left.clear();
        for number in 0..BATCH {
            let mut stream = connect(addr);
            if number % 2 == 0 {
                stream
                    .write_all(&request[..number % request.len()])
                    .unwrap();
            }
            left.push(stream);
        }
    }
    left
}

/// They reset the connection: at once, amid the request, behind it, or amid a frame.
pub(crate) fn resets(addr: SocketAddr) -> Vec<TcpStream> {
    let frame = Side::Server.binary(&[7; 5000]);
    for number in 0..4 * BATCH {
        let mut stream = match number % 4 {
            0 | 1 => connect(addr),
            _ => opened(addr),
        };
        match number % 4 {
            1 => stream.write_all(&head(&LINES)[..number % 200]).unwrap(),
            3 => stream.write_all(&frame[..number]).unwrap(),
            _ => {}
        }
        reset(stream);
    }
    Vec::new()
}

/// They send without end, and read none of the echoes: soon they can send no more.
pub(crate) fn never_read(addr: SocketAddr) -> Vec<TcpStream> {
    let message = Side::Server.binary(&[7; 1 << 16]);
    let mut left = Vec::new();
    for _ in 0..4 {
        let mut stream = opened(addr);
        stream
            .set_write_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let taken = (0..1024).find(|_| stream.write_all(&message).is_err());
        assert!(taken.is_some(), "64 MiB of echoes are kept");
        left.push(stream);
    }
    left
}

/// They stop inside a header, behind it, inside a payload, or between fragments.
pub(crate) fn stop_amid_a_frame(addr: SocketAddr) -> Vec<TcpStream> {
    let frame = Side::Server.binary(&[7; 5000]);
    let fragment = Side::Server.frame(Opcode::Text, false, b"half");
    let claim = Side::Server.header(Opcode::Binary, true, 1 << 24).encode();
    let starts = [&frame[..1], &frame[..5], &claim, &frame[..3000], &fragment];
    let peers = starts.iter().cycle().take(60);
    let peers = peers.map(|start| {
        let mut stream = opened(addr);
        stream.write_all(start).unwrap();
        stream
    });
    peers.collect()
}

/// Pings by the thousand: behind them a message is echoed to those that read, and of the others none
/// is heard of again.
pub(crate) fn flood_of_pings(addr: SocketAddr) -> Vec<TcpStream> {
    let mut flood = Side::Server.ping(&[b'?'; 125]).repeat(20_000);
    flood.extend(Side::Server.text("still there"));
    for reads in [true, false, true, false] {
        let mut stream = opened(addr);
        if reads {
            let echo = with_reader(&mut stream, &flood, |from| next_frame(from, Opcode::Text));
            assert_eq!(echo, b"still there");
        } else {
            stream
                .set_write_timeout(Some(Duration::from_millis(500)))
                .unwrap();
            let _ = stream.write_all(&flood);
        }
    }
    Vec::new()
}

/// Fragments without a byte, more than a message may have.
pub(crate) fn flood_of_empty_fragments(addr: SocketAddr) -> Vec<TcpStream> {
    let mut flood = Side::Server.frame(Opcode::Text, false, b"");
    flood.extend(
        Side::Server
            .frame(Opcode::Continuation, false, b"")
            .repeat(300_000),
    );
    for _ in 0..2 {
        let mut stream = opened(addr);
        let body = with_reader(&mut stream, &flood, |from| next_frame(from, Opcode::Close));
        assert_eq!(body.first_chunk(), Some(&1009u16.to_be_bytes()));
    }
    Vec::new()
}

/// Writes, as far as the server takes it, and reads meanwhile.
fn with_reader<T: Send>(
    stream: &mut TcpStream,
    bytes: &[u8],
    read: impl FnOnce(&mut TcpStream) -> T + Send,
) -> T {
    let mut writer = stream.try_clone().unwrap();
    thread::scope(|scope| {
        let reading = scope.spawn(|| read(stream));
        let _: io::Result<()> = writer.write_all(bytes);
        reading.join().unwrap()
    })
}

fn random_bytes(seed: &mut u64, len: usize) -> Vec<u8> {
    (0..len)
        .map(|_| chance(seed, 256).to_le_bytes()[0])
        .collect()
}

/// They speak no HTTP. What they are told, if anything, is an error.
pub(crate) fn random_heads(addr: SocketAddr) -> Vec<TcpStream> {
    let mut seed = 0x5EED;
    for len in 1..100 {
        let mut stream = connect(addr);
        let mut bytes = random_bytes(&mut seed, len * 10);
        bytes.extend_from_slice(b"\r\n\r\n");
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let said = rest_of(&mut stream);
        assert!(
            said.is_empty() || said.starts_with(b"HTTP/1.1 4"),
            "{said:?}"
        );
    }
    Vec::new()
}

/// They open the connection as one should, and then send anything. What the server says to that is
/// frames to the last byte.
pub(crate) fn random_frames(addr: SocketAddr) -> Vec<TcpStream> {
    let mut seed = 0x5EED_5EED;
    let mut told = 0;
    for len in 1..100 {
        let mut stream = opened(addr);
        let _ = stream.write_all(&random_bytes(&mut seed, len * 10));
        let _ = stream.shutdown(Shutdown::Write);
        let said = rest_of(&mut stream);
        let (frames, half) = complete_frames(&said);
        assert!(half.is_empty(), "{half:?}");
        let is_close = |(header, _): &(Header, _)| header.opcode == Opcode::Close;
        told += usize::from(frames.last().is_some_and(is_close));
    }
    // The first bits of most of them are none of a frame.
    assert!(told > 50, "only {told} were told");
    Vec::new()
}
