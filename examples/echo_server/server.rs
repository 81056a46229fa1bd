//! What the server decides, through whichever adapter it is asked.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use sansocket::handshake::server::{Acceptance, Refusal, Request};
use sansocket::handshake::{Limits, OriginAllowList, Rejection, RequestError};
use sansocket::{CloseCode, CloseFrame, Config};

use crate::Options;
use crate::compression::Compression;
use crate::shutdown::Shutdown;
use crate::tls::Tls;

const PAGE: &str = include_str!("page.html");

/// How long connections may take to close when the server shuts down.
const SHUTDOWN: Duration = Duration::from_secs(8);

/// Connections beyond the limit that are answered at a time; yet more are dropped.
const MAX_TURNED_AWAY: usize = 64;

pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) handshake_timeout: Duration,
    /// `None` for `ws://`.
    pub(crate) tls: Option<Tls>,
    compression: Compression,
    subprotocols: Vec<String>,
    /// `None` accepts all.
    origins: Option<OriginAllowList>,
    max_connections: usize,
    connections: AtomicUsize,
    pub(crate) shutdown: Shutdown,
}

/// Counts a connection as long as it lives.
pub(crate) struct Guard {
    pub(crate) server: Arc<Server>,
    pub(crate) number: usize,
}

impl Guard {
    /// `None` if there are too many connections to even say so.
    pub(crate) fn new(server: &Arc<Server>) -> Option<Self> {
        let number = server.connections.fetch_add(1, SeqCst) + 1;
        let server = server.clone();
        let guard = Self { server, number };
        (number <= guard.server.max_connections + MAX_TURNED_AWAY).then_some(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.server.connections.fetch_sub(1, SeqCst);
    }
}

impl Server {
    pub(crate) fn new(options: Options, tls: Option<Tls>) -> Self {
        let config = Config::new()
            .max_frame_size(options.max_message_size)
            .max_message_size(options.max_message_size)
            .keep_alive(options.ping_interval, options.ping_timeout);
        Self {
            config,
            handshake_timeout: options.handshake_timeout,
            tls,
            compression: options.compression,
            subprotocols: options.subprotocols,
            origins: options.origins,
            max_connections: options.max_connections,
            connections: AtomicUsize::new(0),
            shutdown: Shutdown::new(),
        }
    }

    /// Of the opening handshake.
    pub(crate) fn limits(&self) -> Limits {
        Limits::new().timeout(Some(self.handshake_timeout))
    }

    /// Decides on a request for a WebSocket, the `number`th at this time.
    pub(crate) fn decide(&self, request: &Request, number: usize) -> Result<Acceptance, Rejection> {
        if self.is_busy(number) {
            return Err(busy());
        }
        let origins = self.origins.as_ref();
        if origins.is_some_and(|origins| !origins.allows(request.origin())) {
            return Err(Rejection::new(403).body("text/plain", "this origin is not allowed\n"));
        }
        let supported: Vec<_> = self.subprotocols.iter().map(String::as_str).collect();
        let acceptance = self.compression.accept(Acceptance::new());
        Ok(match request.select_subprotocol(&supported) {
            Some(subprotocol) => acceptance.subprotocol(subprotocol),
            None => acceptance,
        })
    }

    /// What to say to anything else; `None` for the answer that HTTP and RFC 6455 ask for.
    pub(crate) fn answer(&self, refusal: &Refusal, number: usize) -> Option<Rejection> {
        if self.is_busy(number) {
            return Some(busy());
        }
        let target = refusal.head().map(|head| head.target());
        match refusal.error() {
            RequestError::NotAnUpgrade if target == Some("/") => {
                Some(Rejection::new(200).body("text/html; charset=utf-8", PAGE))
            }
            _ => None,
        }
    }

    fn is_busy(&self, number: usize) -> bool {
        number > self.max_connections || self.shutdown.has_begun()
    }

    /// Lets every connection close with 1001, then ends the process.
    pub(crate) fn shut_down(self: &Arc<Self>) {
        if self.shutdown.has_begun() {
            exit(130);
        }
        self.shutdown.begin();
        // On a thread of its own, so that the next signal is heard.
        let server = self.clone();
        thread::spawn(move || {
            let start = Instant::now();
            while server.connections.load(SeqCst) > 0 && start.elapsed() < SHUTDOWN {
                thread::sleep(Duration::from_millis(10));
            }
            exit(0);
        });
    }
}

/// What connections are told when the server shuts down.
pub(crate) fn going_away() -> CloseFrame {
    CloseFrame::new(CloseCode::GOING_AWAY, "the server shuts down")
}

fn busy() -> Rejection {
    Rejection::new(503).header("Retry-After", "5")
}
