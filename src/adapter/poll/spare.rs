//! Memory for whoever reads, or sends what is large, on this thread.
//!
//! Each connection needs room to read into while it is polled, and none while it waits: so the
//! connections of a thread share one piece of it, and two more to queue messages in. Who has
//! bytes left to consume, or to transmit, keeps it.

use alloc::vec::Vec;
use core::cell::Cell;
use std::thread_local;

use bytes::BytesMut;

use crate::buffer::ReceiveBuffer;
use crate::connection::{Connection, MAX_READ_HINT};

/// No more than this stays with a thread, in bytes: room for the largest read.
const KEEP: usize = MAX_READ_HINT;

thread_local! {
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
    static QUEUE_ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static SMALL_ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Gives an empty buffer the thread's memory to read into.
pub(super) fn fill(rx: &mut ReceiveBuffer) {
    rx.restore();
    if rx.has_store() {
        return;
    }
    // While the thread ends there is none, and the buffer allocates.
    if let Ok(Some(store)) = SPARE.try_with(Cell::take) {
        rx.put_store(store);
    }
}

/// Takes the memory in which nothing is left, some of it for the thread.
pub(super) fn drain(rx: &mut ReceiveBuffer) {
    if !rx.is_read_out() {
        return;
    }
    let store = rx.take_store();
    if store.capacity() > 0 && store.capacity() <= KEEP {
        let _ = SPARE.try_with(|spare| spare.set(Some(store)));
    }
    rx.release();
}

/// Drops what was received, which means nothing any more, and takes all memory.
pub(super) fn discard(rx: &mut ReceiveBuffer) {
    rx.discard();
    drain(rx);
}

/// Before a message of this size is queued, or one of any size where that is not known: gives an empty
/// queue the thread's memory, little of it if little is likely to come.
#[inline]
pub(super) fn fill_queue(connection: &mut Connection, message: usize) {
    if connection.has_queue_room() {
        return;
    }
    let room = match connection.needs_large_room(message) {
        true => &QUEUE_ROOM,
        false => &SMALL_ROOM,
    };
    if let Ok(room) = room.try_with(Cell::take) {
        connection.put_queue_room(room);
    }
}

/// Takes a large queue's memory in which nothing is left, for the thread.
#[inline]
pub(super) fn drain_queue(connection: &mut Connection) {
    if let Some(room) = connection.take_large_room() {
        let _ = QUEUE_ROOM.try_with(|spare| spare.set(room));
    }
}

/// Before a wait: takes all memory of the queue in which nothing is left, for the thread.
pub(super) fn release_queue(connection: &mut Connection) {
    drain_queue(connection);
    let room = connection.release_queue();
    if room.capacity() > 0 {
        let _ = SMALL_ROOM.try_with(|spare| spare.set(room));
    }
}
