//! Messages to send, and events received: lent from the receive buffer, owned on request.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::{Deref, Range};

use bytes::Bytes;

use crate::buffer::ReceiveBuffer;
use crate::close::CloseFrame;
use crate::frame::Opcode;

/// A text is copied in blocks of this size, in bytes.
const COPY_BLOCK: usize = 2048;

/// A data message (§5.6), owned.
///
/// ```
/// use sansocket::Message;
///
/// assert_eq!(Message::from("hi"), Message::Text("hi".to_string()));
/// assert_eq!(Message::from(vec![1, 2]).as_bytes(), [1, 2]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Message {
    /// Text: UTF-8 by its type.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// The payload.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }

    /// The payload with its type.
    pub(crate) fn as_data(&self) -> Data<'_> {
        match self {
            Self::Text(text) => Data::Text(text),
            Self::Binary(data) => Data::Binary(data),
        }
    }

    /// Size of the payload, in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Message> for Bytes {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => text.into(),
            Message::Binary(data) => data,
        }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Message {
    fn from(data: Bytes) -> Self {
        Self::Binary(data)
    }
}

impl From<Vec<u8>> for Message {
    fn from(data: Vec<u8>) -> Self {
        Self::Binary(data.into())
    }
}

impl From<&[u8]> for Message {
    fn from(data: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(data))
    }
}

/// A part of a message: what has arrived of it, or what to send next.
///
/// The parts of a text are cut between characters, so that each is text itself.
///
/// ```
/// use sansocket::{Chunk, Config, Connection, Data};
///
/// let mut server = Connection::server(Config::new());
/// server.send_chunk(Chunk::text("Hel"))?;
/// server.send_chunk(Chunk::text("lo").last())?;
/// # Ok::<(), sansocket::SendError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chunk<'a> {
    /// The type of the message, and this part of it.
    pub data: Data<'a>,
    /// The message ends with this part.
    pub last: bool,
}

/// A payload or a part of one, borrowed, with the type of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Data<'a> {
    /// Of a text message.
    Text(&'a str),
    /// Of a binary message.
    Binary(&'a [u8]),
}

impl<'a> Data<'a> {
    /// The bytes.
    #[inline]
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }

    #[inline]
    pub(crate) fn opcode(self) -> Opcode {
        match self {
            Self::Text(_) => Opcode::Text,
            Self::Binary(_) => Opcode::Binary,
        }
    }
}

impl<'a> Chunk<'a> {
    /// A part of a text message that goes on.
    pub const fn text(text: &'a str) -> Self {
        Self {
            data: Data::Text(text),
            last: false,
        }
    }

    /// A part of a binary message that goes on.
    pub const fn binary(data: &'a [u8]) -> Self {
        Self {
            data: Data::Binary(data),
            last: false,
        }
    }

    /// The same part, as the message's end.
    #[must_use]
    pub const fn last(mut self) -> Self {
        self.last = true;
        self
    }
}

/// What was received: lent from the [`ReceiveBuffer`], not from the connection, so that one can
/// send while looking at it.
///
/// ```
/// use sansocket::{Config, Connection, Event, Message, ReceiveBuffer};
///
/// let mut server = Connection::server(Config::new());
/// let mut rx = ReceiveBuffer::new();
/// rx.extend_from_slice(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
///
/// while let Some(event) = server.receive(&mut rx)? {
///     match event {
///         Event::Text(text) => server.send_text(&text).unwrap(),
///         other => drop(other.into_message()),
///     }
/// }
/// assert_eq!(server.transmit().queued(), 4);
/// # Ok::<(), sansocket::ProtocolError>(())
/// ```
#[derive(Debug)]
pub enum Event<'a> {
    /// A whole text message ([`Delivery::Messages`](crate::Delivery::Messages)).
    Text(Text<'a>),
    /// A whole binary message ([`Delivery::Messages`](crate::Delivery::Messages)).
    Binary(Payload<'a>),
    /// A part of a message ([`Delivery::Chunks`](crate::Delivery::Chunks)).
    Chunk(Chunk<'a>),
    /// A ping with its application data; the pong is already queued (§5.5.2), unless our Close frame
    /// is.
    Ping(&'a [u8]),
    /// A pong with its application data, asked for or not (§5.5.3).
    Pong(&'a [u8]),
    /// The peer's Close frame; the answer is already queued (§5.5.1). Nothing follows.
    Close(Option<CloseFrame>),
}

impl Event<'_> {
    /// The message as one's own, if this is a whole data message.
    ///
    /// A small one is copied; a large one, or one that came in parts, is handed over as it is.
    #[inline]
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Text(text) => Some(Message::Text(text.into_string())),
            Self::Binary(data) => Some(Message::Binary(data.into_bytes())),
            Self::Chunk(_) | Self::Ping(_) | Self::Pong(_) | Self::Close(_) => None,
        }
    }
}

/// A text message, lent: a `&str` that can be taken along.
///
/// Only receiving makes one, after the check: whoever holds a `Text` holds UTF-8.
///
/// ```compile_fail,E0423
/// // There is no constructor, and the field is private.
/// let event = sansocket::Event::Text(sansocket::Text("hi"));
/// ```
#[derive(Debug)]
pub struct Text<'a>(Lent<&'a str, &'a mut String>);

/// A binary message, lent: a `&[u8]` that can be taken along.
#[derive(Debug)]
pub struct Payload<'a>(Lent<InPlace<'a>, &'a mut Vec<u8>>);

/// Where a message lies.
#[derive(Debug)]
enum Lent<P, A> {
    /// In the frame that brought it.
    InPlace(P),
    /// Put together from its parts.
    Assembled(A),
}

#[derive(Debug)]
enum InPlace<'a> {
    Small(&'a [u8]),
    /// Large enough that its allocation may be handed over.
    Large(&'a mut ReceiveBuffer, Range<usize>),
}

impl<'a> Text<'a> {
    #[inline]
    pub(crate) fn in_place(text: &'a str) -> Self {
        Self(Lent::InPlace(text))
    }

    pub(crate) fn assembled(text: &'a mut String) -> Self {
        Self(Lent::Assembled(text))
    }

    /// The text as one's own: copied if it came in one frame, or compressed, and has up to 64 KiB; taken
    /// without a copy otherwise.
    #[inline]
    pub fn into_string(self) -> String {
        match self.0 {
            Lent::InPlace(text) if text.len() > COPY_BLOCK => copied(text),
            Lent::InPlace(text) => text.into(),
            Lent::Assembled(text) => core::mem::take(text),
        }
    }
}

/// In blocks: what copies many bytes at once is slower, and slower by far where the two ends lie close to
/// one another within their pages.
#[inline(never)]
fn copied(text: &str) -> String {
    let mut copy = String::with_capacity(text.len());
    let mut rest = text;
    // A character has up to four bytes, so one of these places is between two.
    let cut = |rest: &'_ str| {
        let places = COPY_BLOCK..COPY_BLOCK.saturating_add(4);
        places.into_iter().find(|at| rest.is_char_boundary(*at))
    };
    while let Some((block, more)) = cut(rest).and_then(|at| rest.split_at_checked(at)) {
        copy.push_str(block);
        rest = more;
    }
    copy.push_str(rest);
    copy
}

impl Deref for Text<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match &self.0 {
            Lent::InPlace(text) => text,
            Lent::Assembled(text) => text,
        }
    }
}

impl<'a> Payload<'a> {
    #[inline]
    pub(crate) fn in_place(data: &'a [u8]) -> Self {
        Self(Lent::InPlace(InPlace::Small(data)))
    }

    pub(crate) fn in_large(buffer: &'a mut ReceiveBuffer, place: Range<usize>) -> Self {
        Self(Lent::InPlace(InPlace::Large(buffer, place)))
    }

    pub(crate) fn assembled(data: &'a mut Vec<u8>) -> Self {
        Self(Lent::Assembled(data))
    }

    /// The payload as one's own: handed over with its allocation if it came in fragments, or is large
    /// and fills at least half of the buffer; copied otherwise.
    ///
    /// What is dropped before more is read gives its allocation back to the buffer, which keeps a share
    /// of it until then: before, it is not [unique](Bytes::is_unique).
    #[inline]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Lent::InPlace(InPlace::Small(data)) => Bytes::copy_from_slice(data),
            Lent::InPlace(InPlace::Large(buffer, place)) => buffer.take(place),
            Lent::Assembled(data) => core::mem::take(data).into(),
        }
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Lent::InPlace(InPlace::Small(data)) => data,
            Lent::InPlace(InPlace::Large(buffer, place)) => buffer.at(place.clone()),
            Lent::Assembled(data) => data,
        }
    }
}
