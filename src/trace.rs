//! Events for the `tracing` crate, all of them here; without the feature, nothing at all.
//!
//! None is sent for each message above `TRACE`, and none is on a message's path.

/// Sends one of the events below, or nothing: `trace!(ping_sent(number))`.
#[cfg(feature = "tracing")]
macro_rules! trace {
    ($event:ident($($argument:expr),*)) => {
        $crate::trace::$event($($argument),*)
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! trace {
    ($event:ident($($argument:expr),*)) => {{}};
}

pub(crate) use trace;

#[cfg(feature = "tracing")]
pub(crate) use events::*;

#[cfg(feature = "tracing")]
mod events {
    use core::time::Duration;

    use crate::close::{CloseFrame, CloseOutcome};
    use crate::error::ProtocolError;
    #[cfg(feature = "handshake")]
    use crate::handshake::{HeadError, RequestError, ResponseError};

    macro_rules! event {
        ($level:ident, $($fields:tt)*) => {
            ::tracing::event!(target: "sansocket", ::tracing::Level::$level, $($fields)*)
        };
    }

    /// A whole number of microseconds: a century fits.
    fn micros(duration: Duration) -> u64 {
        u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
    }

    #[cold]
    pub(crate) fn close_sent(frame: Option<&CloseFrame>) {
        let code = frame.map(|frame| frame.code().get());
        let reason = frame.map(CloseFrame::reason);
        event!(DEBUG, code, reason, "close sent");
    }

    #[cold]
    pub(crate) fn ended(outcome: &CloseOutcome) {
        let code = outcome.code();
        match outcome {
            CloseOutcome::Clean(frame) => {
                let reason = frame.as_ref().map(CloseFrame::reason);
                event!(DEBUG, code, reason, %outcome, "connection closed");
            }
            CloseOutcome::Failed(error) => {
                match *error {
                    ProtocolError::FrameTooBig { limit } => limit_hit("max_frame_size", limit),
                    ProtocolError::MessageTooBig { limit } => limit_hit("max_message_size", limit),
                    ProtocolError::TooManyFragments { limit } => {
                        limit_hit("max_fragments", limit.into());
                    }
                    _ => {}
                }
                let close_code = error.close_code().get();
                event!(WARN, code, close_code, %outcome, "connection failed");
            }
            CloseOutcome::Lost => event!(INFO, code, %outcome, "connection lost"),
            CloseOutcome::TimedOut(_) => event!(WARN, code, %outcome, "connection timed out"),
        }
    }

    fn limit_hit(limit: &'static str, value: u64) {
        event!(WARN, limit, value, "limit hit");
    }

    #[cold]
    pub(crate) fn idle(timeout: Option<Duration>) {
        let timeout_us = timeout.map(micros);
        event!(DEBUG, timeout_us, "idle for too long");
    }

    #[cold]
    pub(crate) fn ping_sent(number: [u8; 8]) {
        let number = u64::from_be_bytes(number);
        event!(DEBUG, number, "ping sent");
    }

    #[cold]
    pub(crate) fn pong_received(number: u64, round_trip: Duration) {
        let round_trip_us = micros(round_trip);
        event!(DEBUG, number, round_trip_us, "pong received");
    }

    /// The peer sends other things, or has not taken the ping yet: it is alive.
    #[cold]
    pub(crate) fn pong_late(number: u64, is_sent: bool) {
        event!(TRACE, number, is_sent, "pong late");
    }

    #[cold]
    pub(crate) fn pong_missed(number: u64) {
        event!(WARN, number, "pong missed");
    }

    #[cfg(feature = "handshake")]
    #[cold]
    pub(crate) fn request_accepted(subprotocol: Option<&str>, extensions: usize) {
        event!(
            DEBUG,
            status = 101,
            subprotocol,
            extensions,
            "request accepted"
        );
    }

    /// By its checks; what is answered is another event.
    #[cfg(feature = "handshake")]
    #[cold]
    pub(crate) fn request_invalid(error: &RequestError) {
        if let RequestError::Head(error) = error {
            head_limit_hit(error);
        }
        event!(DEBUG, status = error.status(), %error, "request invalid");
    }

    #[cfg(feature = "handshake")]
    #[cold]
    pub(crate) fn request_rejected(status: u16) {
        event!(DEBUG, status, "request rejected");
    }

    #[cfg(feature = "handshake")]
    #[cold]
    pub(crate) fn response_accepted(subprotocol: Option<&str>, extensions: usize) {
        event!(
            DEBUG,
            status = 101,
            subprotocol,
            extensions,
            "response accepted"
        );
    }

    #[cfg(feature = "handshake")]
    #[cold]
    pub(crate) fn response_failed(error: &ResponseError) {
        let status = match error {
            ResponseError::Refused(response) => Some(response.status()),
            ResponseError::Head(error) => {
                head_limit_hit(error);
                None
            }
            _ => None,
        };
        event!(WARN, status, %error, "handshake failed");
    }

    #[cfg(feature = "handshake")]
    fn head_limit_hit(error: &HeadError) {
        match *error {
            HeadError::TooLarge { limit } => limit_hit("max_head_size", limit as u64),
            HeadError::TooManyHeaders { limit } => limit_hit("max_headers", limit as u64),
            _ => {}
        }
    }

    /// The stream ended or failed amid the handshake.
    #[cfg(all(feature = "std", feature = "handshake"))]
    #[cold]
    pub(crate) fn stream_failed(error: &std::io::Error) {
        event!(WARN, %error, "handshake failed");
    }
}
