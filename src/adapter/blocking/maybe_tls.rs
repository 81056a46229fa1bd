//! The stream that a client connects by: TCP, with TLS or without.

#[cfg(feature = "rustls-no-provider")]
use alloc::boxed::Box;
use core::time::Duration;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::transport::Transport;

/// A TCP stream, or another, through TLS if the URI was `wss://`.
#[derive(Debug)]
#[non_exhaustive]
pub enum MaybeTlsStream<S: Read + Write = TcpStream> {
    /// `ws://`.
    Plain(S),
    /// `wss://`.
    #[cfg(feature = "rustls-no-provider")]
    Rustls(Box<rustls::StreamOwned<rustls::ClientConnection, S>>),
}

impl<S: Read + Write> MaybeTlsStream<S> {
    /// The stream below, for its addresses and settings. What is read from or written to it is
    /// missing here.
    pub fn get_ref(&self) -> &S {
        match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "rustls-no-provider")]
            Self::Rustls(tls) => &tls.sock,
        }
    }
}

macro_rules! delegate {
    ($stream:expr, $inner:ident => $go:expr) => {
        match $stream {
            MaybeTlsStream::Plain($inner) => $go,
            #[cfg(feature = "rustls-no-provider")]
            MaybeTlsStream::Rustls($inner) => {
                let $inner = $inner.as_mut();
                $go
            }
        }
    };
}

impl<S: Transport> Read for MaybeTlsStream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_before(buf, None)
    }
}

impl<S: Transport> Write for MaybeTlsStream<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_before(&[IoSlice::new(buf)], None)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_before(bufs, None)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flush_before(None)
    }
}

impl<S: Transport> Transport for MaybeTlsStream<S> {
    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.get_ref().read_timeout()
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.get_ref().set_read_timeout(timeout)
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.get_ref().write_timeout()
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.get_ref().set_write_timeout(timeout)
    }

    fn read_before(&mut self, buf: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        delegate!(self, stream => stream.read_before(buf, deadline))
    }

    fn write_before(
        &mut self,
        bufs: &[IoSlice<'_>],
        deadline: Option<Instant>,
    ) -> io::Result<usize> {
        delegate!(self, stream => stream.write_before(bufs, deadline))
    }

    fn flush_before(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        delegate!(self, stream => stream.flush_before(deadline))
    }

    fn shutdown_write(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        delegate!(self, stream => stream.shutdown_write(deadline))
    }
}
