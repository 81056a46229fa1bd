//! The closing handshake (RFC 6455 §7): all its transitions, without I/O and without parsing.

use crate::close::{CloseFrame, CloseOutcome, Timeout};
use crate::error::ProtocolError;
use crate::trace::trace;

/// How far a connection has come.
///
/// ```text
///                 close(), idle
///        Open ───────────────────────▶ Closing
///         │                               │
///         │ Close received, violation,    │ Close received, violation,
///         │ no pong in time               │ no answer in time
///         └─────────────┬─────────────────┘
///                       ▼
///                   Draining      the outcome is known; the last bytes leave
///                       │
///                       │ end of the transport, or no end of it in time
///                       ▼
///                    Closed       nothing left to do but let go
/// ```
///
/// The end of the transport leads from Open and Closing straight to Closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages go both ways.
    Open,
    /// Our Close frame is queued or sent (§7.1.3): nothing more can be sent, but messages of the
    /// peer still come until its Close frame does.
    Closing,
    /// [`outcome`](crate::Connection::outcome) is known. What is queued, Close frame included, must
    /// still be transmitted; what is received is dropped.
    Draining,
    /// The transport has ended, or has been waited for long enough.
    Closed,
}

#[derive(Debug, Default)]
pub(super) struct Closing {
    /// Our Close frame is queued.
    sent: bool,
    outcome: Option<CloseOutcome>,
    /// The transport gives no more bytes.
    eof: bool,
    /// The last deadline has passed.
    expired: bool,
}

impl Closing {
    pub(super) fn on_close_queued(&mut self) {
        self.sent = true;
    }

    pub(super) fn on_close_received(&mut self, frame: Option<CloseFrame>) {
        self.end(CloseOutcome::Clean(frame));
    }

    pub(super) fn on_failure(&mut self, error: ProtocolError) {
        self.end(CloseOutcome::Failed(error));
    }

    pub(super) fn on_missing_pong(&mut self) {
        self.end(CloseOutcome::TimedOut(Timeout::Pong));
    }

    /// The peer has had its time to answer our Close frame or to end the transport.
    pub(super) fn on_close_deadline(&mut self) {
        self.end(CloseOutcome::TimedOut(Timeout::Close));
        self.expired = true;
    }

    /// Gives whether the transport ended before the closing handshake did.
    pub(super) fn on_eof(&mut self) -> bool {
        self.eof = true;
        let lost = self.outcome.is_none();
        self.end(CloseOutcome::Lost);
        lost
    }

    /// The first outcome is the one.
    fn end(&mut self, outcome: CloseOutcome) {
        if self.outcome.is_none() {
            trace!(ended(&outcome));
            self.outcome = Some(outcome);
        }
    }

    pub(super) fn outcome(&self) -> Option<&CloseOutcome> {
        self.outcome.as_ref()
    }

    /// What the peer's Close frame said.
    pub(super) fn received(&self) -> Option<&CloseFrame> {
        match &self.outcome {
            Some(CloseOutcome::Clean(frame)) => frame.as_ref(),
            _ => None,
        }
    }

    /// The error that failed the connection.
    pub(super) fn failure(&self) -> Option<ProtocolError> {
        match self.outcome {
            Some(CloseOutcome::Failed(error)) => Some(error),
            _ => None,
        }
    }

    pub(super) fn state(&self, all_transmitted: bool) -> State {
        match (&self.outcome, self.sent) {
            (None, false) => State::Open,
            (None, true) => State::Closing,
            (Some(_), _) if self.expired || self.eof && all_transmitted => State::Closed,
            (Some(_), _) => State::Draining,
        }
    }

    /// §5.5.1: nothing is sent behind a Close frame.
    pub(super) fn may_send(&self) -> bool {
        !self.sent && self.outcome.is_none()
    }

    /// Whether received bytes still mean something.
    pub(super) fn reads(&self) -> bool {
        self.outcome.is_none()
    }

    /// §7.1.1: after a clean close the server ends the transport, and the client waits for that.
    pub(super) fn wants_shutdown(&self, is_client: bool, all_transmitted: bool) -> bool {
        let waits_for_server = is_client && matches!(self.outcome, Some(CloseOutcome::Clean(_)));
        match self.outcome {
            None => false,
            Some(_) => self.expired || all_transmitted && (self.eof || !waits_for_server),
        }
    }

    pub(super) fn wants_read(&self) -> bool {
        !self.eof && !self.expired
    }
}
