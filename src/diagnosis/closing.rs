//! Close codes and outcomes.

use core::time::Duration;

use super::Explain;
use crate::close::{CloseCode, CloseFrame, CloseOutcome, Timeout};

impl CloseCode {
    /// What a close code means and what to look at, whoever reports it: 1005, 1006 and 1015 too, which a
    /// browser or a log names, though they never stand in a Close frame (§7.4.1).
    ///
    /// ```
    /// use sansocket::CloseCode;
    ///
    /// assert!(CloseCode::explain(1009).contains("limit"));
    /// assert!(CloseCode::explain(1015).contains("certificate"));
    /// ```
    pub const fn explain(code: u16) -> &'static str {
        match code {
            1000 => {
                "The connection was closed because its purpose was fulfilled. Nothing is wrong."
            }
            1001 => {
                "The server is going down or closes idle connections, or the browser has left the page. A \
                 client may reconnect."
            }
            1002 => {
                "The sender of this code found a violation of RFC 6455 in what it received: look at the \
                 reason, and at proxies and libraries on the other side."
            }
            1003 => {
                "The sender of this code does not take this type of message: text where it expects \
                 binary, or the reverse."
            }
            1005 => {
                "The Close frame held no code: the peer closed without saying why, as browsers do on \
                 close() without arguments."
            }
            1006 => {
                "The connection ended without a Close frame: a process died, the network or a proxy cut \
                 it, or a deadline passed. Look at the other side's log and at idle time-outs on the way."
            }
            1007 => {
                "A message did not fit its type: text that is not UTF-8, compressed data that does not \
                 inflate, or content that the application cannot read."
            }
            1008 => {
                "A message broke a rule of the application, such as a rate limit or missing rights. To \
                 reconnect without a change will not help."
            }
            1009 => {
                "A message is larger than the limit of the sender of this code: raise its limit \
                 (Config::max_message_size, max_frame_size, max_fragments), or send less at a time."
            }
            1010 => {
                "The client needs an extension that the server did not agree to: compare \
                 Sec-WebSocket-Extensions in the request and in the response."
            }
            1011 => {
                "The sender of this code met an error of its own, or missed our pongs: look at its log. A \
                 client may reconnect."
            }
            1012 => "The service restarts. Reconnect after a random delay of some seconds.",
            1013 => "The service is overloaded. Reconnect later, with growing delays.",
            1014 => {
                "A gateway got no valid answer from the server behind it: look at that server, and at the \
                 gateway's upstream settings."
            }
            1015 => {
                "The TLS handshake failed: look at the certificate, its host name and its date, and at \
                 the versions of TLS that both sides take."
            }
            3000..=3999 => {
                "A library or framework gives this code its meaning: look it up in IANA's registry of \
                 WebSocket close codes."
            }
            4000..=4999 => "The application on the other side gives this code its meaning.",
            _ => "No endpoint may send this code (RFC 6455 §7.4.2).",
        }
    }
}

impl Explain for CloseCode {
    fn explanation(&self) -> &'static str {
        Self::explain(self.get())
    }
}

impl Explain for CloseFrame {
    fn explanation(&self) -> &'static str {
        self.code().explanation()
    }
}

impl Explain for Timeout {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Close => {
                "The peer hangs, or the network is gone: without Config::close_timeout we would wait for \
                 ever. Some servers never answer a Close frame."
            }
            Self::Pong => {
                "The peer hangs, or the network is gone without a word, as after a change of networks. If \
                 it happens to peers that live, raise the time-out of Config::keep_alive, and receive all \
                 the time: pongs are seen while receiving."
            }
        }
    }
}

impl Explain for CloseOutcome {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Clean(Some(frame)) => frame.explanation(),
            Self::Clean(None) => CloseCode::explain(1005),
            Self::Failed(error) => error.explanation(),
            Self::Lost => {
                "Close code 1006: the peer's process died, or the network or a proxy cut the connection. \
                 If that comes after a constant time without messages, it is an idle time-out on the way: \
                 set Config::keep_alive to less than that."
            }
            Self::TimedOut(timeout) => timeout.explanation(),
        }
    }
}

/// Idle time-outs of what stands between client and server, in seconds, as they come.
const IDLE_TIMEOUTS: [(u64, &str); 8] = [
    (
        30,
        "Lost after 30 s of silence: the default of Google Cloud's HTTP load balancers. Set \
         Config::keep_alive to less, say 20 s, or raise the backend service's time-out.",
    ),
    (
        50,
        "Lost after 50 s of silence: the usual `timeout client` and `timeout server` of HAProxy. Set \
         Config::keep_alive to less, say 20 s, or set `timeout tunnel`.",
    ),
    (
        55,
        "Lost after 55 s of silence: the idle time-out of Heroku's router. Set Config::keep_alive to \
         less, say 25 s.",
    ),
    (
        60,
        "Lost after 60 s of silence: a proxy's idle time-out, such as proxy_read_timeout of nginx or that \
         of an AWS application load balancer. Set Config::keep_alive to less, say 25 s, or raise it there.",
    ),
    (
        100,
        "Lost after 100 s of silence: the idle time-out of Cloudflare. Set Config::keep_alive to less, say \
         30 s.",
    ),
    (
        240,
        "Lost after 4 min of silence: the idle time-out of Azure's load balancers. Set Config::keep_alive \
         to less, say 60 s.",
    ),
    (
        300,
        "Lost after 5 min of silence: an idle time-out of a proxy, such as Envoy's, or of a firewall. Set \
         Config::keep_alive to less, say 60 s.",
    ),
    (
        350,
        "Lost after 350 s of silence: the idle time-out of AWS network load balancers and NAT gateways. \
         Set Config::keep_alive to less, say 60 s.",
    ),
];

/// How much later than its time-out a proxy may close, in seconds.
const LATE: u64 = 2;

impl CloseOutcome {
    /// The [explanation](Explain::explanation) for whoever knows how long nothing had been sent nor
    /// received before the end: a loss after one of the common idle time-outs names it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sansocket::CloseOutcome;
    ///
    /// let explanation = CloseOutcome::Lost.explanation_after(Duration::from_secs(60));
    /// assert!(explanation.contains("proxy_read_timeout"));
    /// ```
    pub fn explanation_after(&self, silence: Duration) -> &'static str {
        let is_after = |(seconds, _): &&(u64, &str)| {
            (*seconds..seconds.saturating_add(LATE)).contains(&silence.as_secs())
        };
        match (self, IDLE_TIMEOUTS.iter().find(is_after)) {
            (Self::Lost, Some((_, explanation))) => explanation,
            _ => self.explanation(),
        }
    }
}
