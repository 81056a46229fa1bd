//! A stream in memory that stalls and splits as it is told, with a clock that stands still.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};
use sansocket::futures_io::Timer;

/// How many bytes each call moves at the most; 0 is a stall that wakes at once.
#[derive(Debug, Clone)]
pub(crate) enum Pace {
    /// These, over and over.
    Cycle(VecDeque<usize>),
    /// Some of `CHOICES`, by chance.
    Seeded(u64),
}

const CHOICES: [usize; 8] = [0, 0, 0, 1, 13, 1500, 9000, usize::MAX];

impl Pace {
    pub(crate) fn cycle(sizes: &[usize]) -> Self {
        Self::Cycle(sizes.iter().copied().collect())
    }

    fn next(&mut self) -> usize {
        match self {
            Self::Cycle(sizes) => {
                sizes.rotate_left(1);
                sizes.back().copied().unwrap_or(usize::MAX)
            }
            Self::Seeded(seed) => CHOICES[chance(seed, CHOICES.len())],
        }
    }

    /// Gives `None` for a stall.
    fn poll(&mut self, cx: &Context<'_>) -> Option<usize> {
        match self.next() {
            0 => {
                cx.waker().wake_by_ref();
                None
            }
            n => Some(n),
        }
    }
}

/// A number below `below`, by chance (xorshift).
pub(crate) fn chance(seed: &mut u64, below: usize) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 16) as usize % below
}

/// Both directions of a stream, as its peer sees them.
#[derive(Debug)]
pub(crate) struct Link {
    /// On its way to us.
    pub(crate) incoming: VecDeque<u8>,
    /// Nothing follows.
    pub(crate) ended: bool,
    /// All that we have written.
    pub(crate) written: Vec<u8>,
    /// We have ended our direction.
    pub(crate) shut_down: bool,
    /// A write fails where this many bytes have been written.
    pub(crate) write_fails_at: usize,
    /// A read fails where this many bytes have been read.
    pub(crate) read_fails_at: usize,
    /// Writes wait until [`unblock`](Self::unblock).
    pub(crate) writes_block: bool,
    /// Flushes wait, and are not woken from: only whoever polls again finds that they need not.
    pub(crate) flushes_block: bool,
    /// The next write fails, and only this one.
    pub(crate) write_fails_once: bool,
    read: usize,
    reads: Pace,
    writes: Pace,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Link {
    /// The peer has done something.
    pub(crate) fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    /// The peer has sent something.
    pub(crate) fn arrive(&mut self, bytes: &[u8]) {
        self.incoming.extend(bytes);
        self.wake_reader();
    }

    /// The peer reads on.
    pub(crate) fn unblock(&mut self) {
        self.writes_block = false;
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

/// Our end of the [`Link`].
#[derive(Debug, Clone)]
pub(crate) struct Stalling(pub(crate) Rc<RefCell<Link>>);

impl Stalling {
    /// One that neither stalls nor splits.
    pub(crate) fn prompt() -> Self {
        Self::new(Pace::cycle(&[usize::MAX]), Pace::cycle(&[usize::MAX]))
    }

    pub(crate) fn new(reads: Pace, writes: Pace) -> Self {
        Self(Rc::new(RefCell::new(Link {
            incoming: VecDeque::new(),
            ended: false,
            written: Vec::new(),
            shut_down: false,
            write_fails_at: usize::MAX,
            read_fails_at: usize::MAX,
            writes_block: false,
            flushes_block: false,
            write_fails_once: false,
            read: 0,
            reads,
            writes,
            reader: None,
            writer: None,
        })))
    }
}

impl AsyncRead for Stalling {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut link = self.0.borrow_mut();
        let left = link.read_fails_at - link.read;
        if left == 0 {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if link.incoming.is_empty() && !link.ended {
            link.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let Some(most) = link.reads.poll(cx) else {
            return Poll::Pending;
        };
        let n = most.min(room.len()).min(link.incoming.len()).min(left);
        for (to, from) in room.iter_mut().zip(link.incoming.drain(..n)) {
            *to = from;
        }
        link.read += n;
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Stalling {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut link = self.0.borrow_mut();
        assert!(!link.shut_down, "a write behind the end");
        let left = link.write_fails_at - link.written.len();
        if left == 0 {
            // The peer is gone.
            link.ended = true;
            link.wake_reader();
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if std::mem::take(&mut link.write_fails_once) {
            return Poll::Ready(Err(ErrorKind::OutOfMemory.into()));
        }
        if link.writes_block {
            link.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let Some(most) = link.writes.poll(cx) else {
            return Poll::Pending;
        };
        let n = most.min(from.len()).min(left);
        link.written.extend_from_slice(&from[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut link = self.0.borrow_mut();
        if link.flushes_block || link.writes.poll(cx).is_none() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut link = self.0.borrow_mut();
        if link.writes.poll(cx).is_none() {
            return Poll::Pending;
        }
        link.shut_down = true;
        Poll::Ready(Ok(()))
    }
}

/// `left` bytes to send on, at some pace.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) left: Vec<u8>,
    pub(crate) pace: Pace,
}

impl AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Some(most) = self.pace.poll(cx) else {
            return Poll::Pending;
        };
        let n = most.min(room.len()).min(self.left.len());
        for (to, from) in room.iter_mut().zip(self.left.drain(..n)) {
            *to = from;
        }
        Poll::Ready(Ok(n))
    }
}

/// A clock that stands still: what is waited for has to come without it.
#[derive(Debug, Clone)]
pub(crate) struct Still(pub(crate) Instant);

impl Timer for Still {
    type Sleep = std::future::Pending<()>;

    fn now(&self) -> Instant {
        self.0
    }

    fn sleep_until(&self, _: Instant) -> Self::Sleep {
        std::future::pending()
    }
}

/// Whether a task was woken.
#[derive(Debug, Default)]
pub(crate) struct Woken(AtomicBool);

impl Woken {
    /// Whether it was since the last time.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where a future is dropped: told the number of the wait, from 0, whether there.
pub(crate) enum Drops<'a> {
    Never,
    At(usize),
    Always,
    /// At every second wait on average, by this chance.
    Seeded(&'a Cell<u64>),
}

impl Drops<'_> {
    pub(crate) fn at(&self, wait: usize) -> bool {
        match self {
            Self::Never => false,
            Self::At(at) => *at == wait,
            Self::Always => true,
            Self::Seeded(cell) => {
                let mut seed = cell.get();
                let drops = chance(&mut seed, 2) == 0;
                cell.set(seed);
                drops
            }
        }
    }
}

/// A future of any kind.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
