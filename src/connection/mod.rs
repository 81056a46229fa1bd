//! The engine: RFC 6455 §5.4–§7, without I/O.

mod closing;
mod incoming;
#[cfg(feature = "deflate")]
mod inflate;
mod masking;
mod payload;
mod prepared;
mod queue;
mod receive;
mod send;
mod timers;
mod transmit;

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use crate::buffer::ReceiveBuffer;
use crate::close::{CloseCode, CloseFrame, CloseOutcome};
use crate::config::{Config, Delivery};
use crate::frame::MAX_HEADER_SIZE;
use crate::mask_keys::MaskKeys;
use crate::time::Timestamp;
use crate::trace::trace;

pub use closing::State;
pub use prepared::Prepared;
pub use transmit::{Transmit, TransmitMessage};

#[cfg(any(feature = "futures-io", feature = "tokio"))]
pub(crate) use {incoming::Whole, transmit::Lent};

use closing::Closing;
use incoming::Incoming;
use queue::Queue;
use send::Outgoing;
use timers::{Expired, Timers};

/// The most that a single read is asked to bring, in bytes: a frame of 64 KiB, its header, and that of
/// the next, so that a read that brings the frame alone leaves room. A stream is known by that to have
/// been read out, without another call.
pub(crate) const MAX_READ_HINT: usize = 64 * 1024 + 2 * MAX_HEADER_SIZE;

/// One endpoint of a WebSocket connection, from the end of the opening handshake on.
///
/// It does no I/O and has no clock: its caller moves the bytes and tells the time. Its methods come
/// in four kinds:
///
/// 1. **Getters** look: [`state`](Self::state), [`outcome`](Self::outcome),
///    [`can_send`](Self::can_send), [`queued`](Self::queued), [`round_trip`](Self::round_trip).
/// 2. **Inputs** say what happened: [`receive`](Self::receive), [`receive_eof`](Self::receive_eof),
///    [`handle_timeout`](Self::handle_timeout).
/// 3. **Commands** say what to do: [`send`](Self::send), [`send_text`](Self::send_text),
///    [`send_binary`](Self::send_binary), [`send_prepared`](Self::send_prepared),
///    [`send_chunk`](Self::send_chunk), [`ping`](Self::ping), [`close`](Self::close).
/// 4. **Outputs** say what the caller is to do: [`transmit`](Self::transmit),
///    [`has_pong`](Self::has_pong), [`poll_timeout`](Self::poll_timeout),
///    [`wants_read`](Self::wants_read), [`read_hint`](Self::read_hint),
///    [`wants_shutdown`](Self::wants_shutdown).
///
/// After any input or command, look at the outputs. The order that always works is: **receive**
/// until there is no event, **transmit** until there is nothing left or the transport is full,
/// **handle the time-outs**, then wait for bytes, for the transport to take more, or for the
/// deadline. The [crate's page](crate) has that loop as a program.
///
/// # Failing
/// When the peer breaks the protocol or a limit, the right Close frame is queued before the error is
/// returned; whatever was complete before the offending frame has been delivered by then, nothing is
/// delivered after it, and the same error is returned for ever.
///
/// # Panics
/// Never: not by what a peer sends, nor by any order of calls.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    config: Config,
    incoming: Incoming,
    outgoing: Outgoing,
    queue: Queue,
    closing: Closing,
    timers: Timers,
    #[cfg(feature = "deflate")]
    deflate: Option<Box<inflate::Deflate>>,
}

/// What only one of the roles has.
enum Role {
    Server,
    Client { keys: Box<dyn MaskKeys> },
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "Server",
            Self::Client { .. } => "Client",
        })
    }
}

impl Role {
    /// §5.3: each frame of a client is masked with a key of its own, a server's frames are not.
    #[inline]
    fn next_key(&mut self) -> Option<[u8; 4]> {
        match self {
            Self::Server => None,
            Self::Client { keys } => Some(keys.next_key()),
        }
    }

    #[inline]
    fn is_client(&self) -> bool {
        matches!(self, Self::Client { .. })
    }
}

impl Connection {
    /// A client's side, whose frames are masked with keys from `mask_keys` (§5.3, §10.3).
    pub fn client(config: Config, mask_keys: impl MaskKeys + 'static) -> Self {
        let keys = Box::new(mask_keys);
        Self::new(Role::Client { keys }, config)
    }

    /// A server's side.
    pub fn server(config: Config) -> Self {
        Self::new(Role::Server, config)
    }

    fn new(role: Role, config: Config) -> Self {
        Self {
            incoming: Incoming::new(&config),
            role,
            config,
            outgoing: Outgoing::default(),
            queue: Queue::default(),
            closing: Closing::default(),
            timers: Timers::default(),
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// How far the connection has come.
    pub fn state(&self) -> State {
        self.closing.state(self.queue.is_empty())
    }

    /// How the connection ended; `None` as long as it has not.
    pub fn outcome(&self) -> Option<&CloseOutcome> {
        self.closing.outcome()
    }

    /// Whether a message can be sent now: the connection is open, below its
    /// [write limit](Config::write_limit), and not amid a message sent in chunks.
    pub fn can_send(&self) -> bool {
        self.may_start_message().is_ok() && self.queue.len() < self.config.write_limit
    }

    /// How long the last answered keep-alive ping took to come back.
    ///
    /// It is as exact as the calls to [`handle_timeout`](Self::handle_timeout) are prompt.
    pub fn round_trip(&self) -> Option<Duration> {
        self.timers.pings().round_trip()
    }

    /// How long keep-alive pings take to come back of late: each one counts for an eighth (as in RFC
    /// 6298), so that a single slow one says little.
    pub fn smoothed_round_trip(&self) -> Option<Duration> {
        self.timers.pings().smoothed_round_trip()
    }

    /// Number of bytes that wait for transmission.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Input: the transport gives no more bytes, or has broken.
    ///
    /// Receive what came before it first. Unless the closing handshake was completed, the outcome
    /// is [`CloseOutcome::Lost`], and what was queued is dropped.
    pub fn receive_eof(&mut self) {
        self.incoming.stop();
        if self.closing.on_eof() {
            self.queue.clear();
        }
    }

    /// Input: it is `now`. Arms the deadlines of what happened since the last call, and does what
    /// the ones that have passed ask for.
    ///
    /// Time enters nowhere else, so deadlines count from here: call it after the other inputs and
    /// before waiting, as well as when [`poll_timeout`](Self::poll_timeout) says.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.closing.may_send() {
            let (idle, keep_alive) = (self.config.idle_timeout, self.config.pings());
            let ping = self.queue.ping_on_its_way();
            match self.timers.handle_open(now, idle, keep_alive, ping) {
                None => {}
                Some(Expired::SendPing(payload)) => {
                    trace!(ping_sent(payload));
                    self.queue_ping(&payload);
                    self.queue.watch_ping();
                }
                Some(Expired::Idle) => {
                    trace!(idle(idle));
                    let frame = CloseFrame::new(CloseCode::GOING_AWAY, "idle for too long");
                    self.queue_close(Some(&frame));
                }
                Some(Expired::Pong) => {
                    let frame = CloseFrame::new(CloseCode::INTERNAL_ERROR, "no pong in time");
                    self.queue_close(Some(&frame));
                    self.incoming.stop();
                    self.closing.on_missing_pong();
                }
            }
        }
        if self.state() != State::Open
            && self.state() != State::Closed
            && self.timers.handle_closing(now, self.config.close_timeout)
        {
            self.incoming.stop();
            self.closing.on_close_deadline();
        }
    }

    /// Output: when to call [`handle_timeout`](Self::handle_timeout) next, at the latest;
    /// [`Timestamp::ZERO`] for at once, `None` for never.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match self.state() {
            State::Open => {
                let (idle, keep_alive) = (self.config.idle_timeout, self.config.pings());
                self.timers.next_open(idle, keep_alive)
            }
            State::Closing | State::Draining => Some(self.timers.next_closing()),
            State::Closed => None,
        }
    }

    /// Output: the bytes to write to the transport.
    #[inline]
    pub fn transmit(&mut self) -> Transmit<'_> {
        Transmit(&mut self.queue)
    }

    /// Output: whether a pong waits for transmission. Transmit before receiving on, if the transport
    /// takes it: of the pings that come while a pong waits, only the last is answered (§5.5.3), so
    /// that a flood of them costs no memory.
    pub fn has_pong(&self) -> bool {
        self.queue.has_pong()
    }

    /// Output: whether to read from the transport.
    ///
    /// This goes on after the end of the connection, until the end of the transport or the close
    /// deadline: what comes is dropped, but a transport that is closed with bytes unread may take
    /// our Close frame with it.
    pub fn wants_read(&self) -> bool {
        self.closing.wants_read()
    }

    /// Output: how many bytes to read next at the most, where `usual` is the size of a normal read,
    /// say 16 KiB.
    ///
    /// That is `usual`, unless a large frame is being received: then up to its end and the next
    /// header, at most 64 KiB and two headers. Between frames it is enough for one as large as the
    /// last that did not come whole.
    pub fn read_hint(&self, rx: &ReceiveBuffer, usual: usize) -> usize {
        if matches!(self.config.delivery, Delivery::Chunks) {
            return usual;
        }
        let (missing, at_least) = match self.incoming.frame_left() {
            Some((total, _)) if total < usual as u64 / 2 => return usual,
            Some((_, left)) => (left, 0),
            None => {
                let header = MAX_HEADER_SIZE as u64;
                (self.incoming.last_partial.saturating_add(header), usual)
            }
        };
        let missing = usize::try_from(missing).unwrap_or(usize::MAX);
        let more = missing.saturating_sub(rx.len());
        more.saturating_add(MAX_HEADER_SIZE)
            .min(MAX_READ_HINT)
            .max(at_least)
    }

    /// Output: whether to shut the transport down: the connection has ended, all that was queued
    /// has been transmitted, and it is our turn (§7.1.1), or the close deadline has passed.
    ///
    /// Shut the sending direction down first and read on while
    /// [`wants_read`](Self::wants_read): at [`State::Closed`] the transport can be dropped.
    pub fn wants_shutdown(&self) -> bool {
        let all_transmitted = self.queue.is_empty();
        self.closing
            .wants_shutdown(self.role.is_client(), all_transmitted)
    }

    /// Gives back all heap memory that holds nothing; worth calling before a long wait.
    pub fn release(&mut self) {
        #[cfg(feature = "deflate")]
        self.release_deflate();
        self.queue.release();
    }

    /// The transport took bytes while nobody received: the peer reads, so it is alive, though what it
    /// sends is not seen.
    #[cfg(feature = "std")]
    pub(crate) fn on_taken(&mut self) {
        self.timers.on_received();
    }

    /// Whether the queue has memory.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(crate) fn has_queue_room(&self) -> bool {
        self.queue.has_room()
    }

    /// Queues into this memory from here on.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn put_queue_room(&mut self, room: alloc::vec::Vec<u8>) {
        self.queue.put_room(room);
    }

    /// The memory of the queue, if nothing is in it and it is not small.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(crate) fn take_large_room(&mut self) -> Option<alloc::vec::Vec<u8>> {
        self.queue.take_large_room()
    }

    /// Gives back the queue's memory alone, which is made anew in no time; what little of it is empty can
    /// be used again.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn release_queue(&mut self) -> alloc::vec::Vec<u8> {
        let room = self.queue.take_room();
        self.queue.release();
        room
    }
}
