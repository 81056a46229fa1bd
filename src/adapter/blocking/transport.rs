//! What a blocking stream can do beside reading and writing.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;

/// A blocking (or non-blocking) byte stream.
///
/// The time-outs let deadlines end a blocked call; a stream that has none keeps the defaults, which
/// do nothing. For a type of another crate, wrap it in [`Plain`].
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

    /// Ends our direction, so that the peer reads the end of the stream; called once.
    ///
    /// # Errors
    /// The system's.
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.flush()
    }
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

            fn shutdown_write(&mut self) -> io::Result<()> {
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
