//! What an error or an end means, and where to look: one sentence or two for each.
//!
//! The tables stand above all layers, so that the errors themselves stay small.

#[cfg(feature = "std")]
mod adapter;
mod closing;
#[cfg(feature = "handshake")]
mod handshake;
mod protocol;

use core::fmt;

/// What an error or an end of a connection means, and what to look at: for logs, and for whoever reads
/// them.
///
/// `Display` of the errors and outcomes is one short line that says what happened, limits with their
/// values. This is the rest. All of them have it: [`CloseOutcome`](crate::CloseOutcome),
/// [`CloseCode`](crate::CloseCode), [`ProtocolError`](crate::ProtocolError),
/// [`SendError`](crate::SendError), and those of the opening handshake and of the adapters.
///
/// ```
/// use sansocket::{CloseOutcome, Explain};
///
/// let outcome = CloseOutcome::Lost;
/// assert_eq!(outcome.to_string(), "the transport ended without a closing handshake");
/// assert!(outcome.explanation().contains("idle time-out"));
/// eprintln!("{}", outcome.explained()); // both
/// ```
pub trait Explain {
    /// What it means and what to look at, in a few sentences without values.
    fn explanation(&self) -> &'static str;

    /// The short form and the explanation together, in one line.
    fn explained(&self) -> Explained<'_, Self>
    where
        Self: Sized + fmt::Display,
    {
        Explained(self)
    }
}

/// What [`Explain::explained`] gives: to be displayed.
#[derive(Debug, Clone, Copy)]
pub struct Explained<'a, E>(&'a E);

impl<E: Explain + fmt::Display> fmt::Display for Explained<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.0, self.0.explanation())
    }
}
