//! A server of hyper that echoes at /echo and has an ordinary page elsewhere.
//!
//! ```text
//! cargo run --release --example hyper_server --features hyper
//! cargo run --release --example wscat -- ws://127.0.0.1:9001/echo
//! ```

use std::io;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sansocket::Config;
use sansocket::handshake::BuildError;
use sansocket::handshake::server::Acceptance;
use sansocket::hyper::{ServerUpgrade, Upgrading};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:9001").await?;
    eprintln!("listening on http://127.0.0.1:9001/");
    serve(listener).await
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .with_upgrades();
            if let Err(error) = connection.await {
                eprintln!("HTTP: {error}");
            }
        });
    }
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, BuildError> {
    if request.uri().path() != "/echo" {
        return Ok(Response::new("The WebSocket is at /echo.\n".into()));
    }
    let upgrade = match ServerUpgrade::from_request(&mut request) {
        Ok(upgrade) => upgrade,
        Err(refusal) => return Ok(Response::from(&refusal)),
    };
    let mut acceptance = Acceptance::new();
    if let Some(name) = upgrade.request().select_subprotocol(&["echo"]) {
        acceptance = acceptance.subprotocol(name);
    }
    #[cfg(feature = "deflate")]
    let acceptance = acceptance.deflate(sansocket::DeflateConfig::new());
    let (response, upgrading) = upgrade.accept(acceptance, Config::new())?;
    tokio::spawn(async move {
        if let Err(error) = echo(upgrading).await {
            eprintln!("WebSocket: {error}");
        }
    });
    Ok(response)
}

async fn echo(upgrading: Upgrading) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut websocket = upgrading.await?;
    while let Some(message) = websocket.recv().await? {
        websocket.feed(message).await?; // leaves when there is nothing more to receive
    }
    Ok(())
}
