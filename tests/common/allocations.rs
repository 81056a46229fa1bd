//! Memory, counted by the allocator, for each thread (each test) apart.

#![allow(unsafe_code)] // a global allocator cannot be written without

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, with its requests counted.
pub(crate) struct Counting;

fn count(grown: usize, shrunk: usize) {
    // At the end of a thread there is nothing left to count with, nor to count.
    let _ = HELD.try_with(|held| {
        let now = held.get() + grown as isize - shrunk as isize;
        held.set(now);
        PEAK.set(PEAK.get().max(now));
    });
    if grown > 0 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(grown)));
    }
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// What a piece of work asked of the allocator.
#[derive(Debug)]
pub(crate) struct Use {
    /// Held at the end, beyond what was held at the start.
    pub(crate) held: isize,
    /// The most held at any time, beyond what was held at the start.
    pub(crate) peak: isize,
    pub(crate) allocations: usize,
    /// The largest request, in bytes.
    pub(crate) largest: usize,
}

pub(crate) fn measure<T>(work: impl FnOnce() -> T) -> (T, Use) {
    let start = HELD.get();
    PEAK.set(start);
    ALLOCATIONS.set(0);
    LARGEST.set(0);
    let result = work();
    let used = Use {
        held: HELD.get() - start,
        peak: PEAK.get() - start,
        allocations: ALLOCATIONS.get(),
        largest: LARGEST.get(),
    };
    (result, used)
}
