//! All connections of a server, and the one way to each.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::mem;
use core::net::{IpAddr, SocketAddr};
use core::task::{Context, Poll, Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::tokio::time::Instant;

use crate::close::{CloseFrame, CloseOutcome};
use crate::policy::{
    ConnectionId, ConnectionLimits, Permit, Refused, Shutdown, ShutdownReport, address_group,
};
use crate::time::Timestamp;

/// Connections beyond a limit that are answered at a time; yet more are dropped.
const MAX_TURNED_AWAY: usize = 64;

pub(super) struct Registry {
    epoch: Instant,
    evicts: bool,
    state: Mutex<State>,
}

struct State {
    limits: ConnectionLimits<IpAddr>,
    open: BTreeMap<ConnectionId, Arc<Control>>,
    turned_away: usize,
    shutdown: Shutdown,
}

impl Registry {
    pub(super) fn new(limits: ConnectionLimits<IpAddr>, shutdown: Shutdown) -> Self {
        Self {
            epoch: Instant::now(),
            evicts: limits.evicts(),
            state: Mutex::new(State {
                limits,
                open: BTreeMap::new(),
                turned_away: 0,
                shutdown,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.epoch.elapsed().into()
    }

    /// One more connection, possibly to be turned away; `None` if there are too many to even say so.
    pub(super) fn admit(self: &Arc<Self>, address: SocketAddr) -> Option<Guard> {
        let now = self.now();
        let control = Arc::new(Control::default());
        let mut state = self.state();
        let (place, evicted) = match state.limits.admit(address_group(address.ip()), now) {
            Ok(admitted) => {
                state.open.insert(admitted.permit.id(), control.clone());
                let evicted = admitted.evict.and_then(|id| state.open.get(&id).cloned());
                (Place::Permit(admitted.permit), evicted)
            }
            Err(_) if state.turned_away >= MAX_TURNED_AWAY => return None,
            Err(refused) => {
                state.turned_away = state.turned_away.saturating_add(1);
                (Place::TurnedAway(refused), None)
            }
        };
        drop(state);
        if let Some(evicted) = evicted {
            evicted.close(ConnectionLimits::<IpAddr>::evicted());
        }
        Some(Guard {
            registry: self.clone(),
            control,
            place,
            is_open: false,
        })
    }

    pub(super) fn touch(&self, id: ConnectionId, now: Timestamp) {
        self.state().limits.touch(id, now);
    }

    /// Has all connections closed; gives when to drop those that are left.
    pub(super) fn begin_shutdown(&self) -> Instant {
        let now = self.now();
        let mut state = self.state();
        state.shutdown.begin(now);
        let wait = state
            .shutdown
            .poll_timeout()
            .map_or_else(Default::default, |deadline| deadline.saturating_since(now));
        let frame = state.shutdown.close_frame().clone();
        let open: Vec<_> = state.open.values().cloned().collect();
        drop(state);
        for control in open {
            control.close(frame.clone());
        }
        let now = Instant::now();
        // A deadline that cannot be expressed is none.
        let century = core::time::Duration::from_secs(100 * 365 * 24 * 3600);
        now.checked_add(wait.min(century)).unwrap_or(now)
    }

    /// Whether no connection is left but those that are turned away.
    pub(super) fn is_empty(&self) -> bool {
        self.state().open.is_empty()
    }

    pub(super) fn report(&self) -> ShutdownReport {
        self.state().shutdown.report()
    }
}

/// A connection's place, for as long as its task lives.
pub(super) struct Guard {
    pub(super) registry: Arc<Registry>,
    pub(super) control: Arc<Control>,
    place: Place,
    is_open: bool,
}

enum Place {
    Permit(Permit),
    TurnedAway(Refused),
    /// It has been given back.
    None,
}

impl Guard {
    /// To tell that it is active, if that matters.
    pub(super) fn id(&self) -> Option<ConnectionId> {
        match &self.place {
            Place::Permit(permit) => self.registry.evicts.then(|| permit.id()),
            _ => None,
        }
    }

    /// Why it is to be turned away, if it is.
    pub(super) const fn refused(&self) -> Option<Refused> {
        match &self.place {
            Place::TurnedAway(refused) => Some(*refused),
            _ => None,
        }
    }

    /// The opening handshake is done.
    pub(super) fn on_open(&mut self) {
        self.registry.state().shutdown.on_open();
        self.is_open = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let outcome = self.control.state().outcome.take();
        let mut state = self.registry.state();
        if self.is_open {
            state.shutdown.on_end(outcome.as_ref());
        }
        match mem::replace(&mut self.place, Place::None) {
            Place::Permit(permit) => {
                state.open.remove(&permit.id());
                state.limits.release(permit);
            }
            Place::TurnedAway(_) => state.turned_away = state.turned_away.saturating_sub(1),
            Place::None => {}
        }
    }
}

/// What the server tells a connection's task, and the task the server.
#[derive(Default)]
pub(super) struct Control(Mutex<ControlState>);

#[derive(Default)]
struct ControlState {
    is_closing: bool,
    /// Until the connection has taken it.
    frame: Option<CloseFrame>,
    waker: Option<Waker>,
    outcome: Option<CloseOutcome>,
}

impl Control {
    fn state(&self) -> MutexGuard<'_, ControlState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the connection closed, unless it has been told so before.
    pub(super) fn close(&self, frame: CloseFrame) {
        let mut state = self.state();
        if state.is_closing {
            return;
        }
        state.is_closing = true;
        state.frame = Some(frame);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What to close with, once.
    pub(super) fn poll_frame(&self, cx: &Context<'_>) -> Poll<CloseFrame> {
        let mut state = self.state();
        if let Some(frame) = state.frame.take() {
            return Poll::Ready(frame);
        }
        if !state.is_closing {
            match &mut state.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        Poll::Pending
    }

    /// Is over when the connection is to close; takes nothing.
    pub(super) async fn closing(&self) {
        poll_fn(|cx| {
            let mut state = self.state();
            if state.is_closing {
                return Poll::Ready(());
            }
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.state().is_closing
    }

    pub(super) fn on_end(&self, outcome: &CloseOutcome) {
        self.state().outcome.get_or_insert_with(|| outcome.clone());
    }
}
