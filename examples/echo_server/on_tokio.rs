//! The server through the tokio adapter: a task for each connection, on a thread for each core.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use sansocket::tokio::read_request;
use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::connection::serve;
use crate::server::{Guard, Server};

pub(crate) fn run(listener: TcpListener, server: &Arc<Server>) -> io::Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            // As in the other adapters, a failure is none of the listener's own.
            let Ok((stream, _)) = listener.accept().await else {
                sleep(Duration::from_millis(10)).await;
                continue;
            };
            if let Some(guard) = Guard::new(server) {
                let _ = stream.set_nodelay(true);
                #[cfg(feature = "rustls")]
                if let Some(tls) = server.tls.clone() {
                    let request = Box::pin(read_request_over_tls(server.clone(), tls, stream));
                    tokio::spawn(serve(guard, request));
                    continue;
                }
                let request = Box::pin(read_request(stream, server.limits()));
                tokio::spawn(serve(guard, request));
            }
        }
    })
}

#[cfg(feature = "rustls")]
async fn read_request_over_tls(
    server: Arc<Server>,
    tls: crate::tls::Tls,
    stream: tokio::net::TcpStream,
) -> Result<
    sansocket::tokio::Incoming<tokio_rustls::server::TlsStream<tokio::net::TcpStream>>,
    sansocket::tokio::AcceptError,
> {
    let accepting = tokio_rustls::TlsAcceptor::from(tls).accept(stream);
    let stream = tokio::time::timeout(server.handshake_timeout, accepting).await;
    let stream = stream.unwrap_or_else(|late| Err(late.into()))?;
    read_request(stream, server.limits()).await
}
