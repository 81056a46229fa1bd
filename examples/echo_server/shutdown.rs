//! The end of the server, for those who look once in a while and for those who wait.

use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable, Pending, Shared, abortable, pending};

pub(crate) struct Shutdown {
    handle: AbortHandle,
    begun: Begun,
}

/// A future that is over when the shutdown has begun.
pub(crate) type Begun = Shared<Abortable<Pending<()>>>;

impl Shutdown {
    pub(crate) fn new() -> Self {
        let (begun, handle) = abortable(pending());
        let begun = begun.shared();
        Self { handle, begun }
    }

    pub(crate) fn begin(&self) {
        self.handle.abort();
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.handle.is_aborted()
    }

    #[allow(dead_code)] // without an async adapter
    pub(crate) fn begun(&self) -> Begun {
        self.begun.clone()
    }
}
