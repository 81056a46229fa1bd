//! The errors of all adapters.

use core::fmt;
use std::io;

use crate::close::CloseOutcome;
use crate::error::{ProtocolError, SendError};
use crate::message::Message;
#[cfg(feature = "policy")]
use crate::policy::Ended;

#[cfg(feature = "handshake")]
use crate::handshake::{BuildError, RequestError, ResponseError, UriError, WsUri};

/// Why a WebSocket could not go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The stream's. After a blocking stream's `WouldBlock` and `TimedOut` call again: nothing is
    /// lost. After any other error, or one of an async stream, nothing more is written.
    Io(io::Error),
    /// The peer broke the protocol or a limit. It has been told so, and the stream is ended.
    Protocol(ProtocolError),
    /// The message was not queued, and comes back.
    Send(SendError<Message>),
    /// The chunk, ping, Close frame or lent message was not queued.
    Command(SendError),
    /// The connection ended without a closing handshake.
    Ended(CloseOutcome),
}

impl Error {
    /// Whether to just call again, when the stream is ready or at once if it has a time-out: for
    /// blocking and non-blocking streams of std alone. Async streams never ask for that.
    pub fn is_blocked(&self) -> bool {
        matches!(self, Self::Io(error) if is_blocked(error))
    }
}

/// A clean end is none of an error.
pub(super) fn ended(outcome: Option<&CloseOutcome>) -> Result<(), Error> {
    match outcome {
        None | Some(CloseOutcome::Clean(_)) => Ok(()),
        Some(outcome) => Err(Error::Ended(outcome.clone())),
    }
}

/// Whether the stream only asks to be called again.
pub(super) fn is_blocked(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Protocol(error) => write!(f, "protocol error of the peer: {error}"),
            Self::Send(error) => write!(f, "not sent: {error}"),
            Self::Command(error) => write!(f, "not sent: {error}"),
            Self::Ended(outcome) => outcome.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Protocol(error) => Some(error),
            Self::Send(error) => Some(error),
            Self::Command(error) => Some(error),
            Self::Ended(_) => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self::Command(error)
    }
}

impl From<SendError<Message>> for Error {
    fn from(error: SendError<Message>) -> Self {
        Self::Send(error)
    }
}

/// Why there is no connection to a server.
#[cfg(feature = "handshake")]
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URI is none of a WebSocket.
    Uri(UriError),
    /// `wss://` needs TLS: the feature `rustls`, or a stream of your own that goes in by
    /// `Connector::handshake`.
    Secure,
    /// The request cannot be written.
    Build(BuildError),
    /// Resolving the name, connecting, reading or writing failed.
    Io(io::Error),
    /// The server's response is a refusal, or not one to this request.
    Response(ResponseError),
}

/// What follows from it for who wants to connect again.
#[cfg(all(feature = "handshake", feature = "policy"))]
impl From<&ConnectError> for Ended {
    fn from(error: &ConnectError) -> Self {
        match error {
            ConnectError::Response(ResponseError::Refused(response)) => Self::Refused {
                status: response.status(),
                retry_after: response.retry_after(),
            },
            ConnectError::Response(ResponseError::TimedOut) => Self::Unreachable,
            // TLS that fails is invalid data to whoever reads it: a certificate, say.
            ConnectError::Io(error) => match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Permanent,
                _ => Self::Unreachable,
            },
            ConnectError::Uri(_)
            | ConnectError::Secure
            | ConnectError::Build(_)
            | ConnectError::Response(_) => Self::Permanent,
        }
    }
}

/// What follows from it for who wants to connect again.
#[cfg(feature = "policy")]
impl From<&Error> for Ended {
    fn from(error: &Error) -> Self {
        match error {
            Error::Io(_) => Self::Closed(1006),
            Error::Protocol(error) => (&CloseOutcome::Failed(*error)).into(),
            Error::Ended(outcome) => outcome.into(),
            Error::Send(_) | Error::Command(_) => Self::Permanent,
        }
    }
}

/// Whether the scheme is one of this build's.
#[cfg(feature = "handshake")]
pub(super) fn check_scheme(uri: &WsUri) -> Result<(), ConnectError> {
    if uri.is_secure() && cfg!(not(feature = "rustls-no-provider")) {
        return Err(ConnectError::Secure);
    }
    Ok(())
}

#[cfg(feature = "handshake")]
impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(error) => error.fmt(f),
            Self::Secure => f.write_str("wss:// needs TLS: enable the feature `rustls`"),
            Self::Build(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Response(error) => error.fmt(f),
        }
    }
}

/// Why a stream did not become a server's connection.
#[cfg(feature = "handshake")]
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The client's request is none for a WebSocket, or came too late. It has been answered.
    Request(RequestError),
    /// The response cannot be written.
    Build(BuildError),
    /// Reading or writing failed.
    Io(io::Error),
}

#[cfg(feature = "handshake")]
impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Build(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

#[cfg(feature = "handshake")]
macro_rules! sources {
    ($error:ty: $($variant:ident($source:ty)),*) => {
        impl std::error::Error for $error {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                match self {
                    $(Self::$variant(error) => Some(error),)*
                    #[allow(unreachable_patterns)]
                    _ => None,
                }
            }
        }

        $(impl From<$source> for $error {
            fn from(error: $source) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

#[cfg(feature = "handshake")]
sources!(ConnectError: Uri(UriError), Build(BuildError), Io(io::Error), Response(ResponseError));
#[cfg(feature = "handshake")]
sources!(AcceptError: Request(RequestError), Build(BuildError), Io(io::Error));
