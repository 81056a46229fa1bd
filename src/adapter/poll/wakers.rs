//! Who waits: a connection may be received on in one task and sent on in another.

use alloc::sync::Arc;
use core::task::{Context, Waker};
use std::sync::{Mutex, PoisonError};
use std::task::Wake;

/// Which of the two a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Receive,
    Send,
}

/// The tasks that wait, at most one for each role.
///
/// Both write and both watch the deadlines, while a stream remembers one waker for writing: so it is
/// given this one, which wakes both.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    receive: Mutex<Option<Waker>>,
    send: Mutex<Option<Waker>>,
}

impl Wakers {
    fn of(&self, role: Role) -> &Mutex<Option<Waker>> {
        match role {
            Role::Receive => &self.receive,
            Role::Send => &self.send,
        }
    }

    /// Before the last poll of what is waited for, so that no wake-up is missed: who finds out by polling
    /// that there is something to wait for registers, and polls again.
    pub(super) fn register(&self, role: Role, cx: &Context<'_>) {
        let mut slot = self.of(role).lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *slot {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    pub(super) fn wake(&self, role: Role) {
        let waker = self
            .of(role)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Wakers::wake(self, Role::Receive);
        Wakers::wake(self, Role::Send);
    }
}
