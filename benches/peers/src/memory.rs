//! A stream in memory that is always ready: it reads the same bytes again and again, and copies what
//! is written into the same room again and again, as a socket copies it into its buffer.

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::io::{AsyncRead as FuturesRead, AsyncWrite as FuturesWrite};
use tokio::io::ReadBuf;

/// How much room there is for what is written, in bytes.
const ROOM: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub struct Memory {
    wire: Arc<Wire>,
    position: usize,
    /// A payload that is lent would cost nothing if nobody took it from where it is.
    room: Box<[u8]>,
    written: Arc<Written>,
}

/// The bytes, once for each place within a page. How they and the buffer that they are copied to lie to
/// one another there makes a copy a tenth faster or slower, and ten times slower where the processor
/// takes them to overlap: so each round reads from another place, the same for all contenders.
#[derive(Debug)]
struct Wire {
    copies: Vec<u8>,
    len: usize,
    place: AtomicUsize,
}

impl Wire {
    const PLACES: usize = 16;
    const PAGE: usize = 4096;

    fn new(wire: &[u8]) -> Self {
        let mut copies = Vec::new();
        for place in 0..Self::PLACES {
            copies.resize(Self::start(place, wire.len()), 0);
            copies.extend_from_slice(wire);
        }
        Self {
            copies,
            len: wire.len(),
            place: AtomicUsize::new(0),
        }
    }

    fn start(place: usize, len: usize) -> usize {
        place * (len.next_multiple_of(Self::PAGE) + Self::PAGE / Self::PLACES)
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.copies[Self::start(self.place.load(Relaxed), self.len)..][..self.len]
    }
}

/// What was written, while somebody wants to know.
#[derive(Debug, Default)]
struct Written {
    is_kept: AtomicBool,
    bytes: Mutex<Vec<u8>>,
}

impl Memory {
    pub fn new(wire: Vec<u8>) -> Self {
        Self {
            wire: Wire::new(&wire).into(),
            position: 0,
            room: vec![0; ROOM].into(),
            written: Arc::default(),
        }
    }

    /// Reads on from another place of memory, the same bytes.
    pub fn next_place(&self) {
        let next = (self.wire.place.load(Relaxed) + 1) % Wire::PLACES;
        self.wire.place.store(next, Relaxed);
    }

    /// Keeps what is written from here on, or no more.
    pub fn keep(&self, on: bool) {
        self.written.is_kept.store(on, Relaxed);
    }

    /// What was kept so far.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.written.bytes.lock().unwrap())
    }

    #[inline]
    pub fn swallow(&mut self, bytes: &[u8]) -> usize {
        if self.written.is_kept.load(Relaxed) {
            self.written.bytes.lock().unwrap().extend_from_slice(bytes);
        }
        for part in bytes.chunks(ROOM) {
            self.room[..part.len()].copy_from_slice(part);
            std::hint::black_box(&self.room);
        }
        bytes.len()
    }

    fn swallow_all(&mut self, slices: &[IoSlice<'_>]) -> usize {
        slices.iter().map(|slice| self.swallow(slice)).sum()
    }
}

impl Read for Memory {
    fn read(&mut self, mut to: &mut [u8]) -> io::Result<usize> {
        let (bytes, len) = (self.wire.bytes(), to.len());
        while let (rest @ 1.., true) = (to.len(), !bytes.is_empty()) {
            let wire = &bytes[self.position..];
            let n = wire.len().min(rest);
            let (now, later) = to.split_at_mut(n);
            now.copy_from_slice(&wire[..n]);
            to = later;
            self.position = if n == wire.len() {
                0
            } else {
                self.position + n
            };
        }
        Ok(if bytes.is_empty() { 0 } else { len })
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.swallow(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.swallow_all(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Polled<T> = Poll<io::Result<T>>;

impl tokio::io::AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Polled<()> {
        // As a socket does, without initialising first; the room of some peers is very large.
        let Self { wire, position, .. } = &mut *self;
        let bytes = wire.bytes();
        while let (rest @ 1.., true) = (to.remaining(), !bytes.is_empty()) {
            let wire = &bytes[*position..];
            let n = wire.len().min(rest);
            to.put_slice(&wire[..n]);
            *position = if n == wire.len() { 0 } else { *position + n };
        }
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Memory {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Polled<usize> {
        Poll::Ready(Ok(self.swallow(bytes)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Polled<usize> {
        Poll::Ready(Ok(self.swallow_all(slices)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled<()> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled<()> {
        Poll::Ready(Ok(()))
    }
}

impl FuturesRead for Memory {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut [u8]) -> Polled<usize> {
        Poll::Ready(self.read(to))
    }
}

impl FuturesWrite for Memory {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Polled<usize> {
        Poll::Ready(Ok(self.swallow(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled<()> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled<()> {
        Poll::Ready(Ok(()))
    }
}
