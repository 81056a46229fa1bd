//! Streams of tokio, with its clock.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};
use std::time::Instant;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::time::{Sleep, sleep_until};

use super::super::poll::Transport;

/// A stream of tokio, as the shared WebSocket takes it.
#[derive(Debug)]
pub struct Tokio<S>(pub(super) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for Tokio<S> {
    type Stream = S;
    type Sleep = Sleep;

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        poll_read(&mut self.0, cx, room)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.0);
        match slices {
            [slice] => stream.poll_write(cx, slice),
            slices => stream.poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn now(&self) -> Instant {
        ::tokio::time::Instant::now().into_std()
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        sleep_until(at.into())
    }

    fn stream(&self) -> &S {
        &self.0
    }

    fn stream_mut(&mut self) -> &mut S {
        &mut self.0
    }

    fn into_stream(self) -> S {
        self.0
    }
}

pub(super) fn poll_read(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    room: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut room = ReadBuf::new(room);
    Pin::new(stream)
        .poll_read(cx, &mut room)
        .map_ok(|()| room.filled().len())
}
