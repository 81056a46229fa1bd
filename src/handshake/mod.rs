//! The opening handshake over HTTP/1.1, and the negotiation apart from it: RFC 6455 §4.
//!
//! Each role is a value that is consumed by [`receive`](server::Handshake::receive) and comes back
//! as one of the states it may be in next. Bytes are read into a [`ReceiveBuffer`] that the caller
//! owns; what comes behind the head stays in it for the connection.
//!
//! ```
//! use sansocket::ReceiveBuffer;
//! use sansocket::handshake::{Limits, client, server};
//!
//! // The client starts. Its nonce has to be random.
//! let client = client::Request::new("ws://example.com/chat".parse()?)
//!     .subprotocol("superchat")
//!     .subprotocol("chat")
//!     .start(*b"the sample nonce")?;
//!
//! // The server reads until the request is complete. Here it comes in pieces of ten bytes.
//! let mut rx = ReceiveBuffer::new();
//! let mut pieces = client.request().chunks(10);
//! let mut server = server::Handshake::new(Limits::new());
//! let request = loop {
//!     match server.receive(&mut rx) {
//!         server::Progress::Incomplete(again) => server = again,
//!         server::Progress::Request(request) => break request,
//!         server::Progress::Refused(refusal) => return Err(refusal.error().clone().into()),
//!     }
//!     rx.extend_from_slice(pieces.next().ok_or("the client is gone")?);
//! };
//! assert_eq!(request.path(), "/chat");
//!
//! // It may take its time to decide, and then accept.
//! let mut acceptance = server::Acceptance::new();
//! if let Some(subprotocol) = request.select_subprotocol(&["chat"]) {
//!     acceptance = acceptance.subprotocol(subprotocol);
//! }
//! let accepted = request.accept(acceptance)?;
//!
//! // The client reads the response, and both go on with the same subprotocol.
//! let mut rx = ReceiveBuffer::new();
//! rx.extend_from_slice(accepted.response());
//! match client.receive(&mut rx) {
//!     client::Progress::Incomplete(_again) => return Err("read more".into()),
//!     client::Progress::Response(response) => {
//!         assert_eq!(response.subprotocol(), accepted.subprotocol());
//!     }
//!     client::Progress::Failed(error) => return Err(error.into()),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Deadlines
//! Time comes in as with a connection: call `handle_timeout(now)` before each `receive`, and read no
//! longer than until `poll_timeout()`. The first call arms the deadline of [`Limits`]; when it has
//! passed, `receive` ends a handshake that is not complete. A whole server over blocking I/O:
//!
//! ```no_run
//! # use std::io::{Error, ErrorKind, Read, Write};
//! # use std::net::TcpStream;
//! # use std::time::{Duration, Instant};
//! # use sansocket::{ReceiveBuffer, Timestamp};
//! # use sansocket::handshake::{Limits, server};
//! fn handshake(stream: &mut TcpStream, rx: &mut ReceiveBuffer) -> Result<server::Request, Error> {
//!     let epoch = Instant::now();
//!     let mut handshake = server::Handshake::new(Limits::new());
//!     loop {
//!         let now = Timestamp::from(epoch.elapsed());
//!         handshake.handle_timeout(now);
//!         match handshake.receive(rx) {
//!             server::Progress::Incomplete(again) => handshake = again,
//!             server::Progress::Request(request) => return Ok(request),
//!             server::Progress::Refused(refusal) => {
//!                 stream.write_all(&refusal.response())?;
//!                 return Err(Error::other(refusal.error().clone()));
//!             }
//!         }
//!         let wait = handshake.poll_timeout().map(|deadline| deadline.saturating_since(now));
//!         // A timeout of zero would mean none.
//!         stream.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
//!         match stream.read(rx.spare(4096)) {
//!             Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
//!             Ok(n) => rx.commit(n),
//!             Err(error) => match error.kind() {
//!                 ErrorKind::WouldBlock | ErrorKind::TimedOut => {} // `handle_timeout` decides
//!                 _ => return Err(error),
//!             },
//!         }
//!     }
//! }
//! ```
//!
//! A caller with timers of its own can leave these methods alone, and answer with
//! [`Refusal::timed_out`](server::Refusal::timed_out).
//!
//! # Other stacks
//! Heads that an HTTP library has parsed go through the same checks:
//! [`server::Request::from_head`], and [`client::Handshake::check_head`]. Under the feature `http`
//! both take the types of the `http` crate. [`upgrade`] and [`Offer`] are these checks on header
//! pairs; [`Offer`] alone is what HTTP/2 and HTTP/3 need (RFC 8441, RFC 9220).
//!
//! # What is refused
//! [`RequestError`] and [`ResponseError`] list it. Where HTTP leaves it to the recipient, the strict
//! choice is made: lines end in CR LF, headers are not folded, and a list header that is there is
//! not empty.
//!
//! [`ReceiveBuffer`]: crate::ReceiveBuffer

mod acceptance;
pub mod client;
mod credentials;
mod error;
mod extension;
mod head;
mod head_reader;
mod headers;
mod key;
mod limits;
mod list;
mod negotiation;
mod origin;
mod refused;
mod rejection;
pub mod server;
pub mod upgrade;
mod uri;

pub use error::{BuildError, RequestError, ResponseError};
pub use extension::Extension;
pub use head::{HeadError, HttpVersion, RequestHead, ResponseHead};
pub use headers::{HeaderError, HeaderIter, Headers};
pub use key::Key;
pub use limits::Limits;
pub use list::ListError;
pub use negotiation::{Answer, Offer};
pub use origin::{InvalidOrigin, OriginAllowList};
pub use refused::RefusedResponse;
pub use rejection::Rejection;
pub use uri::{UriError, WsUri};
