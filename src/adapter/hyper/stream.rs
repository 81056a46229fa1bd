//! hyper's streams as those of tokio.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};

use ::hyper::rt::{Read, ReadBuf, Write};
use ::tokio::io::{AsyncRead, AsyncWrite};

/// The stream under an upgraded connection, for tokio to read and write.
#[derive(Debug)]
pub struct Upgraded(::hyper::upgrade::Upgraded);

impl Upgraded {
    /// Wraps a stream that hyper has handed over.
    pub const fn new(stream: ::hyper::upgrade::Upgraded) -> Self {
        Self(stream)
    }

    /// What hyper has handed over: to
    /// [`downcast`](::hyper::upgrade::Upgraded::downcast) to the TCP stream, say.
    pub fn into_inner(self) -> ::hyper::upgrade::Upgraded {
        self.0
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ::tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut room = ReadBuf::new(to.initialize_unfilled());
        let read = Pin::new(&mut self.0).poll_read(cx, room.unfilled());
        let n = room.filled().len();
        to.advance(n);
        read
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
