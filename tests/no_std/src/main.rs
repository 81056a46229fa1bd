//! Opening handshake, echo and closing handshake between a client and a server in memory, in a
//! program without std. Exits with 0, or with the number of the step that went wrong.
//!
//! It has an allocator and a panic handler of its own: should anything it links bring std along,
//! there are two panic handlers, and the build fails.
#![no_std]
#![no_main]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

use bytes::Buf;
use sansocket::handshake::{Limits, client, server};
use sansocket::{
    CloseCode, CloseOutcome, Config, Connection, Event, ReceiveBuffer, SeededMaskKeys, State,
};

// The C runtime starts the program; nothing else is asked of it.
#[link(name = "c")]
unsafe extern "C" {}

fn stop() -> ! {
    unsafe extern "C" {
        fn abort() -> !;
    }
    // SAFETY: abort(3) may be called at any time.
    unsafe { abort() }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    stop()
}

// The precompiled core and alloc were built to unwind and name these two, though nothing does.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() -> ! {
    stop()
}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    stop()
}

/// Hands out a static array from front to back and takes nothing back.
struct Bump {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

const SIZE: usize = 1 << 20;

// SAFETY: each byte of `memory` is given to one caller at most, since `used` only grows.
unsafe impl Sync for Bump {}

// SAFETY: what is returned is aligned, in bounds, and overlaps nothing returned before.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let memory = self.memory.get().cast::<u8>();
        // Enough for the layout wherever alignment puts its start.
        let Some(size) = layout.size().checked_add(layout.align()) else {
            return null_mut();
        };
        let start = self.used.fetch_add(size, Ordering::Relaxed);
        if start.saturating_add(size) > SIZE {
            return null_mut();
        }
        // SAFETY: `start` is in bounds, and so is the padding, which is less than `align`.
        unsafe {
            let place = memory.add(start);
            place.add(place.align_offset(layout.align()))
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump {
    memory: UnsafeCell::new([0; SIZE]),
    used: AtomicUsize::new(0),
};

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    match run() {
        Ok(()) => 0,
        Err(step) => step,
    }
}

fn run() -> Result<(), i32> {
    let (mut to_client, mut to_server) = (ReceiveBuffer::new(), ReceiveBuffer::new());
    open(&mut to_client, &mut to_server)?;

    let mut client = Connection::client(Config::new(), SeededMaskKeys::new([7; 32]));
    let mut server = Connection::server(Config::new());
    echo(&mut client, &mut to_server, &mut server, &mut to_client).map_err(|step| 20 + step)?;
    echo(&mut server, &mut to_client, &mut client, &mut to_server).map_err(|step| 40 + step)?;
    close(&mut client, &mut to_server, &mut server, &mut to_client).map_err(|step| 60 + step)
}

/// The opening handshake.
fn open(to_client: &mut ReceiveBuffer, to_server: &mut ReceiveBuffer) -> Result<(), i32> {
    let uri = "ws://example.com/chat".parse().map_err(|_| 1)?;
    let request = client::Request::new(uri).subprotocol("chat");
    let client = request.start(*b"the sample nonce").map_err(|_| 2)?;

    to_server.extend_from_slice(client.request());
    let server = server::Handshake::new(Limits::new());
    let server::Progress::Request(request) = server.receive(to_server) else {
        return Err(3);
    };
    let acceptance = server::Acceptance::new().subprotocol("chat");
    let accepted = request.accept(acceptance).map_err(|_| 4)?;

    to_client.extend_from_slice(accepted.response());
    let client::Progress::Response(response) = client.receive(to_client) else {
        return Err(5);
    };
    ensure(response.subprotocol() == Some("chat"), 6)
}

/// `from` sends a text and a binary message, `to` sends both back.
fn echo(
    from: &mut Connection,
    rx_to: &mut ReceiveBuffer,
    to: &mut Connection,
    rx_from: &mut ReceiveBuffer,
) -> Result<(), i32> {
    const TEXT: &str = "Grüße, 世界";
    const DATA: &[u8] = &[0xA5; 70_000]; // a 64-bit length

    from.send_text(TEXT).map_err(|_| 1)?;
    from.send_binary(DATA).map_err(|_| 2)?;
    deliver(from, rx_to);
    while let Some(event) = to.receive(rx_to).map_err(|_| 3)? {
        let message = event.into_message().ok_or(4)?;
        to.send(message).map_err(|_| 5)?;
    }
    deliver(to, rx_from);
    match from.receive(rx_from) {
        Ok(Some(Event::Text(text))) => ensure(&*text == TEXT, 6)?,
        _ => return Err(7),
    }
    match from.receive(rx_from) {
        Ok(Some(Event::Binary(data))) => ensure(&*data == DATA, 8)?,
        _ => return Err(9),
    }
    ensure(matches!(from.receive(rx_from), Ok(None)), 10)
}

/// The closing handshake, begun by the client.
fn close(
    client: &mut Connection,
    to_server: &mut ReceiveBuffer,
    server: &mut Connection,
    to_client: &mut ReceiveBuffer,
) -> Result<(), i32> {
    client.close(CloseCode::NORMAL).map_err(|_| 1)?;
    deliver(client, to_server);
    let event = server.receive(to_server);
    ensure(matches!(event, Ok(Some(Event::Close(Some(_))))), 2)?;
    deliver(server, to_client);
    let event = client.receive(to_client);
    ensure(matches!(event, Ok(Some(Event::Close(Some(_))))), 3)?;
    for (step, connection) in [(4, client), (6, server)] {
        let outcome = connection.outcome();
        ensure(outcome.is_some_and(CloseOutcome::is_clean), step)?;
        connection.receive_eof();
        ensure(connection.state() == State::Closed, step + 1)?;
    }
    Ok(())
}

/// Carries all that waits at `from` to the buffer of its peer.
fn deliver(from: &mut Connection, rx: &mut ReceiveBuffer) {
    let mut transmit = from.transmit();
    while transmit.has_remaining() {
        let chunk = transmit.chunk();
        let len = chunk.len();
        rx.extend_from_slice(chunk);
        transmit.advance(len);
    }
}

fn ensure(holds: bool, step: i32) -> Result<(), i32> {
    if holds { Ok(()) } else { Err(step) }
}
