//! What a whole WebSocket and its send half have in common: sending.

use core::future::{Future, poll_fn};
use core::ops::DerefMut;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use super::super::READ_SIZE;
use super::super::error::Error;
use super::end::End;
use super::spare;
use super::transport::Transport;
use crate::buffer::ReceiveBuffer;
use crate::connection::Connection;
use crate::error::SendError;
use crate::message::{Chunk, Data, Message};

/// Who can send: by owning the stream and the engine, or through a lock. Nothing of them is held on
/// to from one poll to the next.
pub(in super::super) trait Sender {
    type Transport: Transport;

    fn end(&mut self) -> impl DerefMut<Target = End<Self::Transport>>;

    fn with_end<R>(&mut self, f: impl FnOnce(&mut End<Self::Transport>) -> R) -> R {
        f(&mut self.end())
    }
}

pub(super) async fn feed(to: &mut impl Sender, message: Message) -> Result<(), Error> {
    let mut message = Some(message);
    poll_fn(|cx| to.with_end(|end| end.poll_feed(cx, &mut message))).await
}

/// Waits until a message has left. By hand, as those futures that give events are.
pub(super) struct Send<'a, S> {
    pub(super) to: &'a mut S,
    pub(super) message: Option<Message>,
}

/// Waits until a message that is lent has left.
pub(super) struct SendLent<'a, S> {
    pub(super) to: &'a mut S,
    pub(super) message: Option<Data<'a>>,
}

impl<S: Sender> Future for Send<'_, S> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { to, message } = self.get_mut();
        to.end().poll_send(cx, message)
    }
}

impl<S: Sender> Future for SendLent<'_, S> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { to, message } = self.get_mut();
        to.end().poll_send_lent(cx, message)
    }
}

pub(super) async fn command(
    to: &mut impl Sender,
    mut command: impl FnMut(&mut Connection) -> Result<(), SendError>,
) -> Result<(), Error> {
    poll_fn(|cx| to.with_end(|end| end.poll_command(cx, |connection| taken(command(connection)))))
        .await
}

pub(super) async fn flush(to: &mut impl Sender) -> Result<(), Error> {
    poll_fn(|cx| to.with_end(|end| end.poll_flush(cx))).await
}

/// Whether a command was taken, or is to be given again when there is room.
pub(super) fn taken(result: Result<(), SendError>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(SendError::Full(())) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Sends all that a reader gives as one message, chunk by chunk; gives how many bytes that was.
pub(in super::super) async fn send_from(
    to: &mut impl Sender,
    mut poll_read: impl FnMut(&mut Context<'_>, &mut [u8]) -> Poll<io::Result<usize>>,
) -> Result<u64, Error> {
    let mut total = 0_u64;
    loop {
        // Room comes first: what was read goes on to the queue at once, and is nowhere between two
        // polls. The end is read again if this is dropped then, since it is queued last of all.
        let read = poll_fn(|cx| {
            let room = |connection: &mut Connection| taken(connection.may_queue(READ_SIZE));
            match to.with_end(|end| end.poll_command(cx, room)) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            // The lock is not held while the reader is polled.
            let read = read_chunk(cx, &mut poll_read, |chunk| {
                to.with_end(|end| Ok(end.connection.send_chunk_regardless(chunk)?))
            });
            if read.is_pending() {
                // It may take its time: what the stream did not take at once leaves meanwhile.
                if let Poll::Ready(Err(error)) = to.with_end(|end| end.poll_flush(cx)) {
                    return Poll::Ready(Err(error));
                }
            }
            read
        });
        match read.await? {
            0 => break,
            n => total = total.saturating_add(n as u64),
        }
        // The reader may take its time: let what it gave leave meanwhile.
        poll_fn(|cx| match to.with_end(|end| end.poll_flush(cx)) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await?;
    }
    // Nothing waits behind the end of the message: whoever was dropped there would begin another
    // one. It leaves at once, from a stream that has just taken everything.
    poll_fn(|cx| {
        to.with_end(|end| {
            ready!(end.poll_flush(cx))?;
            end.connection
                .send_chunk_regardless(Chunk::binary(&[]).last())?;
            match end.poll_flush(cx) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => Poll::Ready(Ok(())),
            }
        })
    })
    .await?;
    Ok(total)
}

/// Reads once and sends it on, unless it is the end.
fn read_chunk(
    cx: &mut Context<'_>,
    poll_read: &mut impl FnMut(&mut Context<'_>, &mut [u8]) -> Poll<io::Result<usize>>,
    send: impl FnOnce(Chunk<'_>) -> Result<(), Error>,
) -> Poll<Result<usize, Error>> {
    let mut scratch = ReceiveBuffer::new();
    spare::fill(&mut scratch);
    let room = scratch.spare(READ_SIZE);
    let most = room.len().min(READ_SIZE);
    let room = room.get_mut(..most).unwrap_or_default();
    let read = poll_read(cx, room).map_err(Error::from).map(|read| {
        let n = read?;
        let data = room
            .get(..n)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        if n > 0 {
            send(Chunk::binary(data))?;
        }
        Ok(n)
    });
    spare::drain(&mut scratch);
    read
}

/// The public methods, for an `impl` of whoever is a [`Sender`].
macro_rules! methods {
    () => {
        /// Queues a message and flushes: waits until it has left.
        ///
        /// If the peer does not read, this waits, and no more than
        /// [`write_limit`](crate::Config::write_limit) bytes, or one message, are queued.
        ///
        /// # Cancel safety
        /// The message is queued as a whole or not at all, and if it is, it leaves with the next
        /// call. To know which, [`feed`](Self::feed) it and [`flush`](Self::flush).
        ///
        /// # Errors
        /// The message comes back if it cannot be queued; or the stream's, when nothing more can be
        /// sent.
        #[inline]
        pub fn send(
            &mut self,
            message: impl Into<Message>,
        ) -> impl Future<Output = Result<(), Error>> {
            let message = Some(message.into());
            commands::Send { to: self, message }
        }

        /// Sends a text message that is borrowed, and flushes.
        ///
        /// A server's payload of 8 KiB or more that the stream takes at once is written from where it
        /// is. A smaller one is copied behind its header; a client's is copied to mask it, 64 KiB at a
        /// time; a compressed one is queued in that form. What the stream does not take at once is
        /// copied as well, all of it, so that the message leaves whole whatever becomes of this call.
        ///
        /// # Cancel safety
        /// As for [`send`](Self::send): a message of which a part has left is queued to its end.
        ///
        /// # Errors
        /// The stream's; or the message cannot be sent, since the connection is closing, say.
        #[inline]
        pub fn send_text<'a>(
            &'a mut self,
            text: &'a str,
        ) -> impl Future<Output = Result<(), Error>> {
            let message = Some(Data::Text(text));
            commands::SendLent { to: self, message }
        }

        /// Sends a binary message that is borrowed, and flushes: see [`send_text`](Self::send_text).
        /// Who has a large payload as `Bytes` does better with [`send`](Self::send), which never
        /// copies it for a server.
        ///
        /// # Cancel safety
        /// As for [`send_text`](Self::send_text).
        ///
        /// # Errors
        /// As for [`send_text`](Self::send_text).
        #[inline]
        pub fn send_binary<'a>(
            &'a mut self,
            data: &'a [u8],
        ) -> impl Future<Output = Result<(), Error>> {
            let message = Some(Data::Binary(data));
            commands::SendLent { to: self, message }
        }

        /// Queues a message, to leave with the next flush or receive, many in one write. Waits for
        /// room only.
        ///
        /// # Cancel safety
        /// Dropped before it was done, the message was not queued.
        ///
        /// # Errors
        /// As for [`send`](Self::send).
        pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
            commands::feed(self, message.into()).await
        }

        /// Queues a part of a message, to leave with the next flush or receive. Waits for room
        /// only.
        ///
        /// # Cancel safety
        /// Dropped before it was done, the part was not queued.
        ///
        /// # Errors
        /// As for [`Connection::send_chunk`](crate::Connection::send_chunk), or the stream's.
        pub async fn feed_chunk(&mut self, chunk: Chunk<'_>) -> Result<(), Error> {
            commands::command(self, |connection| connection.send_chunk(chunk)).await
        }

        /// Queues a ping with up to 125 bytes and flushes.
        ///
        /// # Cancel safety
        /// The ping is queued or not, and leaves with the next call if it is.
        ///
        /// # Errors
        /// As for [`Connection::ping`](crate::Connection::ping), or the stream's.
        pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
            commands::command(self, |connection| connection.ping(payload)).await?;
            commands::flush(self).await
        }

        /// Begins the closing handshake and flushes; go on receiving until `None`, which waits for
        /// the peer's answer, up to [`close_timeout`](crate::Config::close_timeout).
        ///
        /// # Cancel safety
        /// The first poll queues the Close frame, which then leaves with the next call.
        ///
        /// # Errors
        /// The closing handshake has begun already, or the stream's.
        pub async fn close(&mut self, frame: impl Into<Option<CloseFrame>>) -> Result<(), Error> {
            let frame = frame.into();
            commands::command(self, |connection| connection.close(frame.clone())).await?;
            commands::flush(self).await
        }

        /// Writes and flushes all that is queued.
        ///
        /// # Cancel safety
        /// Call it again: no byte is lost or doubled.
        ///
        /// # Errors
        /// The stream's; `TimedOut` if the peer has not taken it by the end of the closing
        /// handshake.
        pub async fn flush(&mut self) -> Result<(), Error> {
            commands::flush(self).await
        }
    };
}

pub(super) use methods;
