//! A client that connects again.

mod drive;
mod stream;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::pin::Pin;
use core::task::Waker;
use core::time::Duration;
use std::io;

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::time::{Instant, Sleep};

use super::super::error::ConnectError;
use super::{Connector, MaybeTlsStream, WebSocket};
use crate::close::{CloseFrame, CloseOutcome};
use crate::connection::Connection;
use crate::error::SendError;
use crate::handshake::client;
use crate::message::Message;
use crate::policy::{Backoff, Heartbeat, Outbox, Reconnect, ReconnectState};

type Connecting<S> = Pin<Box<dyn Future<Output = Result<WebSocket<S>, ConnectError>> + Send>>;
type Connect<S> = Box<dyn FnMut(Attempt) -> Connecting<S> + Send>;
type Ping = Box<dyn FnMut(u64) -> Message + Send>;
type IsAnswer = Box<dyn FnMut(&Message, u64) -> bool + Send>;

/// An attempt to connect, that is about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// 0 for the first, and then how many have failed in a row.
    pub number: u32,
    /// What the client identifies itself by is to be renewed:
    /// [`Verdict::Refresh`](crate::policy::Verdict::Refresh).
    pub refresh: bool,
}

/// What comes from a [`ReconnectingClient`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// A message of the server.
    Message(Message),
    /// The client stands elsewhere now.
    State(ReconnectState),
}

/// A client that connects again when its connection has ended, if that makes sense, and keeps what is
/// sent meanwhile.
///
/// ```no_run
/// use sansocket::tokio::{ClientEvent, ReconnectingClient};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = ReconnectingClient::new("ws://127.0.0.1:9001/")?;
/// client.send("hello")?; // leaves as soon as there is a connection
/// while let Some(event) = client.recv().await {
///     match event {
///         ClientEvent::Message(message) => println!("{message:?}"),
///         ClientEvent::State(state) => println!("{state:?}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// All happens in [`recv`](Self::recv): keep receiving. Each other method only says what is wanted, and
/// returns at once, so that one task does it all in a `select!`. To send from another task, split it
/// by `StreamExt::split` of futures-util: it is a `Stream` of [`ClientEvent`]s and a `Sink` for messages.
///
/// Whether and when to connect is [`Reconnect`]'s to decide, what becomes of messages [`Outbox`]'s.
///
/// # Each attempt
/// Whatever gives a [`WebSocket`] will do to [connect](Self::with_connect): here, with a token that is
/// renewed when the server closes with 4001.
///
/// ```no_run
/// use sansocket::handshake::client::Request;
/// use sansocket::policy::{Backoff, Reconnect, Verdict};
/// use sansocket::tokio::{Connector, ReconnectingClient};
///
/// # async fn token(renew: bool) -> std::io::Result<String> { Ok(String::new()) }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let request = Request::new("wss://chat.example/".parse()?);
/// let client = ReconnectingClient::with_connect(move |attempt| {
///     let request = request.clone();
///     async move {
///         let bearer = format!("Bearer {}", token(attempt.refresh).await?);
///         let request = request.header("Authorization", bearer);
///         let (websocket, _response) = Connector::new().connect(request).await?;
///         Ok(websocket)
///     }
/// })?
/// .reconnect(Reconnect::new(Backoff::from_os()?).on_close_code(4001, Verdict::Refresh));
/// # Ok(())
/// # }
/// ```
///
/// # Nothing lost, nothing twice
/// A message without an id is gone once the connection has taken it. One that is sent
/// [with an id](Self::send_with_id) is sent again until it is [confirmed](Self::confirm). In the
/// other direction, [`Resume`](crate::policy::Resume) knows how far one has received:
///
/// ```no_run
/// use sansocket::policy::{ReconnectState, Resume};
/// use sansocket::tokio::{ClientEvent, ReconnectingClient};
///
/// # enum Received { Confirmed(u64), News(u64, String) }
/// # fn parse(_: &sansocket::Message) -> Received { Received::Confirmed(0) }
/// # async fn run(mut client: ReconnectingClient) -> Result<(), Box<dyn std::error::Error>> {
/// let mut resume = Resume::default();
/// client.send_with_id(1, r#"{"id":1,"text":"hi"}"#)?;
/// while let Some(event) = client.recv().await {
///     match event {
///         // Goes before all that waits.
///         ClientEvent::State(ReconnectState::Online) => {
///             client.send_now(format!(r#"{{"since":{}}}"#, resume.last().unwrap_or(&0)))?;
///         }
///         ClientEvent::State(_) => {}
///         ClientEvent::Message(message) => match parse(&message) {
///             Received::Confirmed(id) => drop(client.confirm(&id)),
///             Received::News(id, text) if resume.is_new(&id) => println!("{text}"),
///             Received::News(..) => {}
///         },
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// [`recv`](Self::recv) may be dropped at any point: all state is the client's, an attempt under way
/// included.
pub struct ReconnectingClient<I = u64, S = MaybeTlsStream>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    connect: Connect<S>,
    reconnect: Reconnect,
    outbox: Outbox<I>,
    heartbeat: Option<Heartbeat<Ping, IsAnswer>>,
    /// A heartbeat's message for which the connection had no room.
    beat: Option<Message>,
    connecting: Option<Connecting<S>>,
    websocket: Option<WebSocket<S>>,
    /// What to close with, once the outbox is empty.
    closing: Option<Option<CloseFrame>>,
    connect_error: Option<ConnectError>,
    outcome: Option<CloseOutcome>,
    epoch: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Who waits in `recv`, for who sends in another task.
    receiver: Option<Waker>,
    /// A message of the `Sink` that waits for room in the outbox, and who waits for that.
    unqueued: Option<Message>,
    sender: Option<Waker>,
}

impl ReconnectingClient {
    /// Connects to a `ws://` URI, or to a `wss://` one with the feature `rustls`, with the defaults of
    /// all that is involved; the first attempt begins with the first [`recv`](Self::recv).
    ///
    /// # Errors
    /// [`ConnectError::Uri`], or the operating system has no entropy to give.
    pub fn new(uri: &str) -> Result<Self, ConnectError> {
        let request = client::Request::new(uri.parse()?);
        Ok(Self::with_connect(move |_| {
            let request = request.clone();
            async move {
                let (websocket, _response) = Connector::new().connect(request).await?;
                Ok(websocket)
            }
        })?)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> ReconnectingClient<u64, S> {
    /// Connects in a way of its own, each time. An error of [`io::Error::other`] is tried again, and
    /// one of [`io::ErrorKind::InvalidInput`] is not.
    ///
    /// # Errors
    /// The operating system has no entropy to give.
    pub fn with_connect<F, C>(mut connect: F) -> io::Result<Self>
    where
        F: FnMut(Attempt) -> C + Send + 'static,
        C: Future<Output = Result<WebSocket<S>, ConnectError>> + Send + 'static,
    {
        let mut reconnect = Reconnect::new(Backoff::from_os()?);
        reconnect.start();
        Ok(Self {
            connect: Box::new(move |attempt| Box::pin(connect(attempt))),
            reconnect,
            outbox: Outbox::new(1024, 1024 * 1024),
            heartbeat: None,
            beat: None,
            connecting: None,
            websocket: None,
            closing: None,
            connect_error: None,
            outcome: None,
            epoch: Instant::now(),
            sleep: None,
            receiver: None,
            unqueued: None,
            sender: None,
        })
    }
}

impl<I, S: AsyncRead + AsyncWrite + Unpin> ReconnectingClient<I, S> {
    /// Whether and when to connect, instead of by the defaults of [`Reconnect`].
    #[must_use]
    pub fn reconnect(mut self, mut reconnect: Reconnect) -> Self {
        reconnect.start();
        self.reconnect = reconnect;
        self
    }

    /// Where messages wait, instead of among 1024 that hold 1 MiB in all. What was sent before is
    /// dropped.
    #[must_use]
    pub fn outbox<J>(self, outbox: Outbox<J>) -> ReconnectingClient<J, S> {
        ReconnectingClient {
            outbox,
            connect: self.connect,
            reconnect: self.reconnect,
            heartbeat: self.heartbeat,
            beat: self.beat,
            connecting: self.connecting,
            websocket: self.websocket,
            closing: self.closing,
            connect_error: self.connect_error,
            outcome: self.outcome,
            epoch: self.epoch,
            sleep: self.sleep,
            receiver: self.receiver,
            unqueued: self.unqueued,
            sender: self.sender,
        }
    }

    /// Asks the server for signs of life by messages; its answers are kept back.
    #[must_use]
    pub fn heartbeat<P, A>(mut self, heartbeat: Heartbeat<P, A>) -> Self
    where
        P: FnMut(u64) -> Message + Send + 'static,
        A: FnMut(&Message, u64) -> bool + Send + 'static,
    {
        self.heartbeat = Some(heartbeat.boxed());
        self
    }

    /// Where the client stands.
    pub fn state(&self) -> ReconnectState {
        self.reconnect.state()
    }

    /// What waits to be sent, or to be confirmed.
    pub fn waiting(&self) -> &Outbox<I> {
        &self.outbox
    }

    /// Why the last attempt that failed did.
    pub fn connect_error(&self) -> Option<&ConnectError> {
        self.connect_error.as_ref()
    }

    /// How the last connection that ended did.
    pub fn outcome(&self) -> Option<&CloseOutcome> {
        self.outcome.as_ref()
    }

    /// How long the answers to the [`heartbeat`](Self::heartbeat) take of late.
    pub fn smoothed_round_trip(&self) -> Option<Duration> {
        self.heartbeat.as_ref()?.smoothed_round_trip()
    }

    fn wake_receiver(&mut self) {
        if let Some(waker) = self.receiver.take() {
            waker.wake();
        }
    }

    fn wake_sender(&mut self) {
        if let Some(waker) = self.sender.take() {
            waker.wake();
        }
    }
}

impl<I: PartialEq, S: AsyncRead + AsyncWrite + Unpin> ReconnectingClient<I, S> {
    /// Sends a message, now or when there is a connection; gives those that were dropped for want of
    /// room, mostly none. It is gone once the connection has taken it.
    ///
    /// # Errors
    /// The message comes back if the outbox has no room.
    pub fn send(
        &mut self,
        message: impl Into<Message>,
    ) -> Result<Vec<Message>, SendError<Message>> {
        self.push(None, message.into())
    }

    /// The same for a message that is sent again, on another connection or after
    /// [a while](Outbox::confirm_within), until the server has [confirmed](Self::confirm) it.
    ///
    /// # Errors
    /// The message comes back if the outbox has no room.
    pub fn send_with_id(
        &mut self,
        id: I,
        message: impl Into<Message>,
    ) -> Result<Vec<Message>, SendError<Message>> {
        self.push(Some(id), message.into())
    }

    /// The server has confirmed this message; gives whether it was one that waited for that.
    pub fn confirm(&mut self, id: &I) -> bool {
        let confirmed = self.outbox.confirm(id);
        self.wake_sender();
        confirmed
    }

    /// Sends a message on this connection alone, before all that waits: who one is, what to subscribe
    /// to, where to go on.
    ///
    /// # Errors
    /// The message comes back if there is no connection, or no room in its queue.
    pub fn send_now(&mut self, message: impl Into<Message>) -> Result<(), SendError<Message>> {
        let message = message.into();
        let Some(websocket) = &mut self.websocket else {
            return Err(SendError::Closing(message));
        };
        websocket.connection_mut().send(message)?;
        self.wake_receiver();
        Ok(())
    }

    /// Closes for good: what waits is sent first, if there is a connection. Receive on until `None` for
    /// what the server still sends, and for it to answer.
    pub fn close(&mut self, frame: impl Into<Option<CloseFrame>>) {
        if self.websocket.is_some() {
            self.closing.get_or_insert(frame.into());
        } else {
            self.connecting = None;
            self.reconnect.stop();
        }
        self.wake_receiver();
        self.wake_sender();
    }

    /// Connects again after all, when the client is
    /// [disconnected](ReconnectState::Disconnected).
    pub fn start(&mut self) {
        self.reconnect.start();
        self.wake_receiver();
    }

    /// The network has gone: the connection is dropped, and no attempt is made. Or it has come back:
    /// one is made at once.
    pub fn set_offline(&mut self, is_offline: bool) {
        self.reconnect.set_offline(is_offline);
        if self.reconnect.state() == ReconnectState::Offline {
            self.connecting = None;
            self.drop_websocket(CloseOutcome::Lost);
            if self.closing.take().is_some() {
                self.reconnect.stop();
            }
        }
        self.wake_receiver();
    }

    /// The engine of the connection, if there is one: its round-trip time, and how much is queued.
    pub fn connection(&self) -> Option<&Connection> {
        self.websocket.as_ref().map(WebSocket::connection)
    }

    fn push(
        &mut self,
        id: Option<I>,
        message: Message,
    ) -> Result<Vec<Message>, SendError<Message>> {
        let pushed = self.outbox.push(id, message).map_err(SendError::Full);
        self.wake_receiver();
        pushed
    }
}

impl<I, S: AsyncRead + AsyncWrite + Unpin> fmt::Debug for ReconnectingClient<I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectingClient")
            .field("state", &self.reconnect.state())
            .finish_non_exhaustive()
    }
}
