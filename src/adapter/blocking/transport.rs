//! What a blocking stream can do beside reading and writing.

use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// A time-out of the system may end this much before the deadline it was made for.
pub(super) const SLACK: Duration = Duration::from_millis(2);

/// A blocking (or non-blocking) byte stream.
///
/// The time-outs let deadlines end a blocked call; a stream that has none keeps the defaults, which
/// do nothing. For a type of another crate, wrap it in [`Plain`].
///
/// A stream whose calls wait more than once, as TLS does, judges the deadline before each wait: by
/// [`read_before`](Self::read_before), [`write_before`](Self::write_before) and
/// [`flush_before`](Self::flush_before) of its own, made of those of the stream below.
pub trait Transport: Read + Write {
    /// The time-out of reads; `None` for none.
    ///
    /// # Errors
    /// The system's.
    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(None)
    }

    /// Sets the time-out of reads.
    ///
    /// # Errors
    /// The system's.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let _ = timeout;
        Ok(())
    }

    /// The time-out of writes; `None` for none.
    ///
    /// # Errors
    /// The system's.
    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(None)
    }

    /// Sets the time-out of writes.
    ///
    /// # Errors
    /// The system's.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let _ = timeout;
        Ok(())
    }

    /// Reads, waiting until the deadline at the longest, or for the time-out of reads if that is
    /// over first.
    ///
    /// # Errors
    /// The stream's; `TimedOut` or `WouldBlock` when the time is over.
    fn read_before(&mut self, buf: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let timeout = (
            Self::read_timeout as Get<_>,
            Self::set_read_timeout as Set<_>,
        );
        before(self, deadline, timeout, |stream| stream.read(buf))
    }

    /// Writes, waiting until the deadline at the longest, or for the time-out of writes if that is
    /// over first.
    ///
    /// # Errors
    /// As for [`read_before`](Self::read_before).
    fn write_before(
        &mut self,
        bufs: &[IoSlice<'_>],
        deadline: Option<Instant>,
    ) -> io::Result<usize> {
        let timeout = (
            Self::write_timeout as Get<_>,
            Self::set_write_timeout as Set<_>,
        );
        before(self, deadline, timeout, |stream| match bufs {
            [buf] => stream.write(buf),
            bufs => stream.write_vectored(bufs),
        })
    }

    /// Flushes what the stream has held back, waiting as a write does.
    ///
    /// # Errors
    /// As for [`read_before`](Self::read_before).
    fn flush_before(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let timeout = (
            Self::write_timeout as Get<_>,
            Self::set_write_timeout as Set<_>,
        );
        before(self, deadline, timeout, Self::flush)
    }

    /// Ends our direction, so that the peer reads the end of the stream, waiting as a write does;
    /// called after a flush, and again if it would block.
    ///
    /// # Errors
    /// The stream's.
    fn shutdown_write(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let _ = deadline;
        Ok(())
    }
}

type Get<S> = fn(&S) -> io::Result<Option<Duration>>;
type Set<S> = fn(&S, Option<Duration>) -> io::Result<()>;

/// Moves bytes, with the stream's own time-out or until the deadline, whichever comes first.
fn before<S: ?Sized, T>(
    stream: &mut S,
    deadline: Option<Instant>,
    (get, set): (Get<S>, Set<S>),
    mut go: impl FnMut(&mut S) -> io::Result<T>,
) -> io::Result<T> {
    let mut go = |stream: &mut S| loop {
        match go(stream) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    };
    let Some(deadline) = deadline else {
        return go(stream);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    let own = get(stream)?;
    if own.is_some_and(|own| own <= left) {
        return go(stream);
    }
    set(stream, Some(left.max(SLACK)))?;
    let result = go(stream);
    let restored = set(stream, own);
    // What has moved has moved, whatever became of the time-out.
    result.or_else(|error| restored.and(Err(error)))
}

macro_rules! socket {
    ($socket:ty) => {
        impl Transport for $socket {
            fn read_timeout(&self) -> io::Result<Option<Duration>> {
                self.read_timeout()
            }

            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }

            fn write_timeout(&self) -> io::Result<Option<Duration>> {
                self.write_timeout()
            }

            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_write_timeout(timeout)
            }

            /// Nothing is held back.
            fn flush_before(&mut self, _: Option<Instant>) -> io::Result<()> {
                Ok(())
            }

            fn shutdown_write(&mut self, _: Option<Instant>) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(UnixStream);

/// Any `Read + Write` as a [`Transport`] without time-outs.
///
/// ```
/// use sansocket::blocking::{Plain, WebSocket};
/// use sansocket::{Config, Connection};
/// use std::io::Cursor;
///
/// // A masked text frame that says "hi".
/// let stream = Plain(Cursor::new(b"\x81\x82\0\0\0\0hi".to_vec()));
/// let mut server = WebSocket::new(stream, Connection::server(Config::new()));
/// assert_eq!(server.messages().next().unwrap()?, "hi".into());
/// # Ok::<(), sansocket::blocking::Error>(())
/// ```
#[derive(Debug)]
pub struct Plain<S>(pub S);

impl<S: Read> Read for Plain<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<S: Write> Write for Plain<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<S: Read + Write> Transport for Plain<S> {}
