//! What the work costs at the least: frames decoded and encoded without any check, and the passes
//! over the payload that nobody can do without.

use std::cell::RefCell;
use std::hint::black_box;
use std::io::{ErrorKind, Read, Write};

use tokio::net::TcpStream;

use super::{Contender, Cycle, Path, Peer};
use crate::case::{Action, Case, Kind, Role};
use crate::memory::Memory;

/// What is read at a time.
const READ: usize = 64 * 1024;

/// The echo over TCP.
pub const RAW: &str = "raw TCP echo";

pub struct Floor;

impl Peer for Floor {
    fn contenders(&self, case: &Case, io: &Memory) -> Vec<Contender> {
        let mut rows = Vec::new();
        match case.action {
            Action::Receive => {
                rows.push(receive(case, io));
                rows.push(copying(case));
                if case.role == Role::Server {
                    rows.push(masking(case));
                }
                if case.kind != Kind::Binary {
                    rows.push(checking(case));
                }
            }
            Action::Send | Action::SendBatch => rows.push(send(case, io)),
            Action::Echo => rows.push(echo(case, io)),
            Action::Inflate | Action::Deflate => {}
        }
        rows
    }

    fn serves(&self) -> Option<&'static str> {
        Some(RAW)
    }

    fn serve(&self, stream: TcpStream, _: bool) {
        tokio::spawn(async move {
            let _ = give_back(stream).await;
        });
    }
}

/// Gives all bytes back as they came: what a runtime and a socket cost without a WebSocket.
async fn give_back(stream: TcpStream) -> std::io::Result<()> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
    }
    loop {
        stream.readable().await?;
        // A buffer for all connections: one that waits has none.
        let unsent = BUFFER.with_borrow_mut(|buffer| {
            let n = match stream.try_read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Some(Vec::new())),
                n => n?,
            };
            let sent = match stream.try_write(&buffer[..n]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                sent => sent?,
            };
            std::io::Result::Ok((n > 0).then(|| buffer[sent..n].to_vec()))
        })?;
        let Some(unsent) = unsent else { return Ok(()) };
        let mut unsent = &unsent[..];
        while !unsent.is_empty() {
            stream.writable().await?;
            match stream.try_write(unsent) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                sent => unsent = &unsent[sent?..],
            }
        }
    }
}

/// Received bytes, read by whole buffers.
struct Reader {
    io: Memory,
    store: Vec<u8>,
    start: usize,
    end: usize,
    is_masked: bool,
}

impl Reader {
    fn new(case: &Case, io: &Memory) -> Self {
        Self {
            io: io.clone(),
            store: vec![0; READ.max(2 * case.size)],
            start: 0,
            end: 0,
            is_masked: case.role == Role::Server,
        }
    }

    /// The next payload, unmasked in place.
    #[inline]
    fn next(&mut self) -> &mut [u8] {
        loop {
            if let Some((start, end, key)) = self.header() {
                self.start = end;
                let payload = &mut self.store[start..end];
                if self.is_masked {
                    xor(payload, key);
                }
                return payload;
            }
            self.store.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            self.end += self.io.read(&mut self.store[self.end..]).unwrap();
        }
    }

    #[inline]
    fn header(&self) -> Option<(usize, usize, [u8; 4])> {
        let (head, mut rest) = self.store[self.start..self.end].split_first_chunk::<2>()?;
        let len = match head[1] & 0x7F {
            126 => {
                let (len, after) = rest.split_first_chunk()?;
                rest = after;
                usize::from(u16::from_be_bytes(*len))
            }
            127 => {
                let (len, after) = rest.split_first_chunk()?;
                rest = after;
                u64::from_be_bytes(*len) as usize
            }
            len => usize::from(len),
        };
        let mut key = [0; 4];
        if self.is_masked {
            let (masking_key, after) = rest.split_first_chunk()?;
            rest = after;
            key = *masking_key;
        }
        let start = self.end - rest.len();
        (rest.len() >= len).then_some((start, start + len, key))
    }
}

fn receive(case: &Case, io: &Memory) -> Contender {
    let mut reader = Reader::new(case, io);
    Contender::new("floor", Path::Floor, move |n, seen| {
        for _ in 0..n {
            seen.message(reader.next());
        }
    })
}

fn send(case: &Case, io: &Memory) -> Contender {
    let (mut io, mut payloads, batch) = (io.clone(), Cycle::new(case), case.batch());
    let key = (case.role == Role::Client).then_some([0x37, 0xfa, 0x21, 0x3d]);
    let mut out = Vec::new();
    Contender::new("floor", Path::Floor, move |n, _| {
        for i in 1..=n {
            encode(&mut out, payloads.next(), key);
            if i % batch == 0 || i == n {
                io.write_all(&out).unwrap();
                out.clear();
            }
        }
    })
}

fn echo(case: &Case, io: &Memory) -> Contender {
    let (mut io, mut reader, batch) = (io.clone(), Reader::new(case, io), case.batch());
    let mut out = Vec::new();
    Contender::new("floor", Path::Floor, move |n, seen| {
        for i in 1..=n {
            let payload = reader.next();
            seen.message(payload);
            encode(&mut out, payload, None);
            if i % batch == 0 || i == n {
                io.write_all(&out).unwrap();
                out.clear();
            }
        }
    })
}

#[inline]
fn encode(to: &mut Vec<u8>, payload: &[u8], key: Option<[u8; 4]>) {
    let masked = if key.is_some() { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..126 => to.extend_from_slice(&[0x82, masked | len as u8]),
        len @ 126..65_536 => {
            let [high, low] = (len as u16).to_be_bytes();
            to.extend_from_slice(&[0x82, masked | 126, high, low]);
        }
        len => {
            to.extend_from_slice(&[0x82, masked | 127]);
            to.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    if let Some(key) = key {
        to.extend_from_slice(&key);
    }
    let start = to.len();
    to.extend_from_slice(payload);
    if let Some(key) = key {
        xor(&mut to[start..], key);
    }
}

/// Masks (§5.3), 16 bytes at a time.
#[inline]
fn xor(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u128::from_ne_bytes([a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut::<16>();
    for chunk in chunks {
        *chunk = (u128::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

fn copying(case: &Case) -> Contender {
    let from = case.payloads[0].clone();
    let mut to = from.to_vec();
    Contender::new("memcpy alone", Path::Floor, move |n, seen| {
        for _ in 0..n {
            to.copy_from_slice(black_box(&from));
            seen.message(&to);
        }
    })
}

fn masking(case: &Case) -> Contender {
    let mut payload = case.payloads[0].to_vec();
    Contender::new("xor alone", Path::Floor, move |n, seen| {
        for _ in 0..n {
            xor(black_box(&mut payload), black_box([0; 4]));
            seen.message(&payload);
        }
    })
}

fn checking(case: &Case) -> Contender {
    let payload = case.payloads[0].clone();
    Contender::new("simdutf8 alone", Path::Floor, move |n, seen| {
        for _ in 0..n {
            let text = simdutf8::basic::from_utf8(black_box(&payload)).unwrap();
            seen.message(text.as_bytes());
        }
    })
}
