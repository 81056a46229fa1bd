//! The server through the futures-io adapter: smol's streams, a task for each connection, on a thread
//! for each core.

use std::future::pending;
use std::io;
use std::net;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_executor::Executor;
use async_io::{Async, Timer, block_on};
use async_net::TcpListener;
use sansocket::futures_io::read_request;

use crate::connection::serve;
use crate::server::{Guard, Server};

pub(crate) fn run(listener: net::TcpListener, server: &Arc<Server>) -> io::Result<()> {
    let executor = Executor::new();
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| block_on(executor.run(pending::<()>())));
        }
        block_on(accept(listener, server, &executor))
    })
}

async fn accept(
    listener: net::TcpListener,
    server: &Arc<Server>,
    executor: &Executor<'_>,
) -> io::Result<()> {
    let listener = TcpListener::from(Async::new(listener)?);
    loop {
        // As in the other adapters, a failure is none of the listener's own.
        let Ok((stream, _)) = listener.accept().await else {
            Timer::after(Duration::from_millis(10)).await;
            continue;
        };
        if let Some(guard) = Guard::new(server) {
            let _ = stream.set_nodelay(true);
            let request = Box::pin(read_request(stream, Timer::at, server.limits()));
            executor.spawn(serve(guard, request)).detach();
        }
    }
}
