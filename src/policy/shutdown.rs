//! Ending a server without cutting anybody off.

use core::fmt;
use core::time::Duration;

use crate::close::{CloseCode, CloseFrame, CloseOutcome};
use crate::time::Timestamp;

/// Counts the open connections of a server, and how they end once it shuts down.
///
/// ```
/// use std::time::Duration;
/// use sansocket::policy::Shutdown;
/// use sansocket::{CloseCode, CloseOutcome, Timestamp};
///
/// let mut shutdown = Shutdown::new(Duration::from_secs(10));
/// shutdown.on_open();
/// shutdown.on_open();
///
/// // Accept no more, and close each connection with this.
/// shutdown.begin(Timestamp::ZERO);
/// assert_eq!(shutdown.close_frame().code(), CloseCode::GOING_AWAY);
/// shutdown.on_end(Some(&CloseOutcome::Clean(None)));
///
/// // Wait until it is done, or this has come; then drop what is still open.
/// let deadline = shutdown.poll_timeout().unwrap();
/// assert!(!shutdown.is_done(Timestamp::ZERO));
/// assert!(shutdown.is_done(deadline));
/// let report = shutdown.report();
/// assert_eq!((report.clean, report.unclean, report.open), (1, 0, 1));
/// ```
#[derive(Debug, Clone)]
pub struct Shutdown {
    timeout: Duration,
    close_frame: CloseFrame,
    deadline: Option<Timestamp>,
    report: ShutdownReport,
}

/// How connections have ended since a shutdown began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// With a closing handshake.
    pub clean: usize,
    /// Without one: lost, failed, late, or left by the application.
    pub unclean: usize,
    /// Not yet.
    pub open: usize,
}

impl Shutdown {
    /// Connections will have so long to close, and are told 1001 and "the server shuts down".
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            close_frame: CloseFrame::new(CloseCode::GOING_AWAY, "the server shuts down"),
            deadline: None,
            report: ShutdownReport::default(),
        }
    }

    /// Tells connections something else: 1012, say, if the server will be back at once.
    #[must_use]
    pub fn with_close_frame(mut self, frame: CloseFrame) -> Self {
        self.close_frame = frame;
        self
    }

    /// What to close connections with.
    pub const fn close_frame(&self) -> &CloseFrame {
        &self.close_frame
    }

    /// A connection was opened, possibly one that will only be told to go.
    pub fn on_open(&mut self) {
        self.report.open = self.report.open.saturating_add(1);
    }

    /// A connection has ended; `None` if that is all that is known.
    pub fn on_end(&mut self, outcome: Option<&CloseOutcome>) {
        let report = &mut self.report;
        report.open = report.open.saturating_sub(1);
        if self.deadline.is_none() {
            return;
        }
        let count = match outcome {
            Some(CloseOutcome::Clean(_)) => &mut report.clean,
            _ => &mut report.unclean,
        };
        *count = count.saturating_add(1);
    }

    /// The shutdown begins, if it has not already.
    pub fn begin(&mut self, now: Timestamp) {
        self.deadline
            .get_or_insert(now.saturating_add(self.timeout));
    }

    /// Whether the shutdown has begun.
    pub const fn has_begun(&self) -> bool {
        self.deadline.is_some()
    }

    /// When to give up on those that are still open, once the shutdown has begun.
    pub const fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// Whether there is nothing more to wait for.
    pub fn is_done(&self, now: Timestamp) -> bool {
        self.deadline
            .is_some_and(|deadline| self.report.open == 0 || deadline <= now)
    }

    /// How many have ended in which way, so far.
    pub const fn report(&self) -> ShutdownReport {
        self.report
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            clean,
            unclean,
            open,
        } = self;
        write!(
            f,
            "{clean} closed cleanly, {unclean} did not, {open} still open"
        )
    }
}
