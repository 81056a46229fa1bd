//! One message for many connections: encoded once, and compressed once for all that agree on how.

use alloc::sync::Arc;
use core::fmt;
#[cfg(feature = "deflate")]
use {alloc::boxed::Box, std::sync::OnceLock};

use bytes::{BufMut, Bytes, BytesMut};

use super::Connection;
use super::send::LARGE;
use crate::error::SendError;
#[cfg(feature = "deflate")]
use crate::extension::deflate::Settings;
use crate::frame::{Header, MAX_HEADER_SIZE};
use crate::message::Message;

/// A message to send to many connections: encoded once, and compressed once.
///
/// [`Connection::send_prepared`] and the `send_prepared` of the adapters' WebSockets take it. It can be
/// shared between threads and tasks; a clone is one reference more to the same bytes.
///
/// ```
/// use sansocket::{Config, Connection, Prepared};
///
/// let mut room: Vec<_> = (0..1000).map(|_| Connection::server(Config::new())).collect();
///
/// let news = Prepared::new("the kettle is on");
/// for connection in &mut room {
///     connection.send_prepared(&news)?;
/// }
/// # assert!(room.iter_mut().all(|connection| connection.transmit().queued() == 18));
/// # Ok::<(), sansocket::SendError>(())
/// ```
///
/// # What it saves
/// - A server copies a frame of less than 8 KiB in one piece, and shares a larger payload. A client has to
///   mask, with a key of its own, and so to copy, on each connection.
/// - With permessage-deflate the message is compressed for the first connection that wants it so, and again
///   only for one with another window size, compression level or memory level: at most seven forms for
///   one [`DeflateConfig`](crate::DeflateConfig), whatever the peers ask for. They are kept as long as the
///   `Prepared` is. No connection makes a compressor for it.
/// - Under context takeover it refers to no earlier message, and the connection's own compressor starts
///   anew behind it (RFC 7692 §7.2.1): the next message that is sent in another way is compressed as if
///   it were the first. Where most messages are prepared, agree on no takeover:
///   [`server_context_takeover(false)`](crate::DeflateConfig::server_context_takeover).
#[derive(Clone)]
pub struct Prepared(Arc<Inner>);

struct Inner {
    plain: Form,
    #[cfg(feature = "deflate")]
    compressed: OnceLock<Box<Compressed>>,
}

/// A frame, ready to be queued.
struct Form {
    header: Header,
    payload: Bytes,
    /// The same in one piece, if it is small enough to be copied.
    frame: Bytes,
}

/// The message as compressed in one way; one form, once made, stays, so that no lock is held to use it.
#[cfg(feature = "deflate")]
struct Compressed {
    settings: Settings,
    /// None if it is no shorter.
    form: Option<Form>,
    next: OnceLock<Box<Compressed>>,
}

impl Prepared {
    /// Encodes a message. A large one is not copied.
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let opcode = message.as_data().opcode();
        let header = Header::new(opcode, true, message.len() as u64);
        Self(Arc::new(Inner {
            plain: Form::new(header, message.into()),
            #[cfg(feature = "deflate")]
            compressed: OnceLock::new(),
        }))
    }

    /// The payload, as it was given.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.plain.payload
    }

    /// Size of the payload before compression, in bytes.
    pub fn len(&self) -> usize {
        self.0.plain.payload.len()
    }

    /// Whether the payload has no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.plain.payload.is_empty()
    }

    /// The compressed form, made now if this is the first time; none if it is no shorter.
    #[cfg(feature = "deflate")]
    fn compressed(&self, settings: Settings) -> Option<&Form> {
        let mut place = &self.0.compressed;
        loop {
            let made = place.get_or_init(|| Box::new(Compressed::new(&self.0.plain, settings)));
            if made.settings == settings {
                return made.form.as_ref();
            }
            place = &made.next;
        }
    }
}

impl Form {
    fn new(header: Header, payload: Bytes) -> Self {
        if payload.len() >= LARGE {
            return Self {
                header,
                payload,
                frame: Bytes::new(),
            };
        }
        let mut frame = BytesMut::with_capacity(payload.len().saturating_add(MAX_HEADER_SIZE));
        frame.put_slice(&header.encode());
        let start = frame.len();
        frame.put_slice(&payload);
        let frame = frame.freeze();
        Self {
            header,
            payload: frame.slice(start..),
            frame,
        }
    }
}

#[cfg(feature = "deflate")]
impl Compressed {
    fn new(plain: &Form, settings: Settings) -> Self {
        let payload = settings.compress(&plain.payload);
        let payload = payload.filter(|compressed| compressed.len() < plain.payload.len());
        let form = payload.map(|payload| {
            let header = Header {
                rsv1: true,
                ..Header::new(plain.header.opcode, true, payload.len() as u64)
            };
            Form::new(header, payload.into())
        });
        Self {
            settings,
            form,
            next: OnceLock::new(),
        }
    }
}

impl From<Message> for Prepared {
    fn from(message: Message) -> Self {
        Self::new(message)
    }
}

/// Sizes only: what waits may be secret.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Command: queues a message that has been prepared for many connections; see [`Prepared`].
    ///
    /// It is compressed where [`send`](Self::send) would compress it, and counts against the
    /// [write limit](crate::Config::write_limit) in the same way.
    ///
    /// ```
    /// use sansocket::{Config, Connection, Prepared};
    ///
    /// let mut server = Connection::server(Config::new());
    /// server.send_prepared(&Prepared::new("hi"))?;
    /// assert_eq!(server.transmit().queued(), 4);
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn send_prepared(&mut self, message: &Prepared) -> Result<(), SendError> {
        self.may_send_message(message.len())?;
        #[cfg(feature = "deflate")]
        if let Some(form) = self.form_to_compress(message) {
            self.queue_form(form);
            return Ok(());
        }
        self.queue_form(&message.0.plain);
        Ok(())
    }

    /// The compressed form, if that is wanted and pays; the connection's own compressor is told.
    #[cfg(feature = "deflate")]
    fn form_to_compress<'a>(&mut self, message: &'a Prepared) -> Option<&'a Form> {
        let compressor = self.compressor_for(message.len())?;
        let form = message.compressed(compressor.settings())?;
        // §7.2.1: the peer's window has moved on by a message that ours has not seen.
        compressor.restart();
        Some(form)
    }

    fn queue_form(&mut self, form: &Form) {
        let masking_key = self.role.next_key();
        if masking_key.is_some() {
            let header = Header {
                masking_key,
                ..form.header
            };
            self.queue.push(&header, &form.payload);
        } else if form.frame.is_empty() {
            self.queue.push(&form.header, &[]);
            self.queue.push_payload(form.payload.clone());
        } else {
            self.queue.push_bytes(&form.frame, None);
        }
    }
}
