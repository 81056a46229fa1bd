//! How far a handshake on a blocking stream has come.

use std::io;

/// How far a handshake has come.
#[derive(Debug)]
pub enum Step<T, H> {
    /// It is done.
    Done(T),
    /// The stream gave `WouldBlock` or `TimedOut`: proceed again with this.
    Blocked(H),
}

impl<T, H> Step<T, H> {
    /// The result, for streams that are expected to block: that they did not is an error.
    pub(super) fn done(self) -> io::Result<T> {
        match self {
            Self::Done(done) => Ok(done),
            Self::Blocked(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}
