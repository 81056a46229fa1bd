//! The errors of the adapters, and what the operating system says.

use std::io;

use super::Explain;
use crate::adapter::error::Error;
#[cfg(feature = "handshake")]
use crate::adapter::error::{AcceptError, ConnectError};
#[cfg(any(feature = "futures-io", feature = "tokio"))]
use crate::adapter::poll::{ReuniteError, Transport};

impl Explain for Error {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Io(error) => error.explanation(),
            Self::Protocol(error) => error.explanation(),
            Self::Send(error) => error.explanation(),
            Self::Command(error) => error.explanation(),
            Self::Ended(outcome) => outcome.explanation(),
        }
    }
}

#[cfg(feature = "handshake")]
impl Explain for ConnectError {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Uri(error) => error.explanation(),
            Self::Secure => {
                "This build has no TLS: enable the feature `rustls`, or do TLS yourself and hand the \
                 stream to Connector::handshake."
            }
            Self::Build(error) => error.explanation(),
            Self::Io(error) => error.explanation(),
            Self::Response(error) => error.explanation(),
        }
    }
}

#[cfg(feature = "handshake")]
impl Explain for AcceptError {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Request(error) => error.explanation(),
            Self::Build(error) => error.explanation(),
            Self::Io(error) => error.explanation(),
        }
    }
}

#[cfg(any(feature = "futures-io", feature = "tokio"))]
impl<T: Transport> Explain for ReuniteError<T> {
    fn explanation(&self) -> &'static str {
        "Keep the two halves that one split gave together: both come back by into_halves."
    }
}

impl Explain for io::Error {
    fn explanation(&self) -> &'static str {
        use io::ErrorKind::{
            AddrInUse, BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset,
            HostUnreachable, Interrupted, InvalidData, NetworkUnreachable, NotFound,
            PermissionDenied, TimedOut, UnexpectedEof, WouldBlock, WriteZero,
        };
        match self.kind() {
            ConnectionRefused => {
                "Nobody listens on this port: is the server running, on this address, and the port right?"
            }
            ConnectionReset => {
                "The other side dropped the connection: its process died, it closed with bytes unread, or \
                 a proxy or firewall cut it, for instance after an idle time-out."
            }
            ConnectionAborted => {
                "This machine gave the connection up, as after a change of networks: connect again."
            }
            BrokenPipe => {
                "The other side had closed before this was written: receive what came before, and look at \
                 why it closed."
            }
            UnexpectedEof => {
                "The stream ended early: amid a handshake, the server may speak TLS where you do not, or \
                 refuse you before HTTP; later, TLS was cut off without its farewell."
            }
            TimedOut => {
                "No answer in time: a firewall that drops, a wrong address, an overloaded server, or a \
                 time-out that is too short."
            }
            WouldBlock => "Not an error: wait until the stream is ready, and call again.",
            Interrupted => "Not an error: a signal came between. Call again.",
            InvalidData => {
                "Mostly TLS: a certificate that is not trusted, has expired or is for another host; or \
                 the server speaks plain HTTP on this port, so that the URI should begin with ws://."
            }
            NotFound => "The host name is not known: look for a typing error, and at DNS.",
            HostUnreachable | NetworkUnreachable => {
                "There is no route to this address: look at the network, at VPNs, and at IPv6 where there \
                 is none."
            }
            PermissionDenied => {
                "The system does not let this program do that: a port below 1024, a firewall, or a sandbox."
            }
            AddrInUse => "Another program, or an earlier run of this one, has this address.",
            WriteZero => "The stream takes nothing more: its other end is gone.",
            _ => "The stream or the operating system failed: its own text says how.",
        }
    }
}
