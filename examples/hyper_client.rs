//! Sends a message through a client of hyper and prints what comes back.
//!
//! ```text
//! cargo run --release --example hyper_client --features hyper -- ws://127.0.0.1:9001/echo hello
//! ```

use std::error::Error;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sansocket::handshake::client::Request;
use sansocket::hyper::ClientUpgrade;
use sansocket::{CloseCode, Config, Message};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut args = std::env::args().skip(1);
    let (Some(uri), Some(text)) = (args.next(), args.next()) else {
        return Err("usage: hyper_client URI TEXT".into());
    };
    println!("{:?}", ask(&uri, text.into()).await?);
    Ok(())
}

/// What the server answers to a message, if it does.
pub(crate) async fn ask(
    uri: &str,
    message: Message,
) -> Result<Option<Message>, Box<dyn Error + Send + Sync>> {
    let request = Request::new(uri.parse()?).subprotocol("echo");
    #[cfg(feature = "deflate")]
    let request = request.deflate(sansocket::DeflateConfig::new());
    let stream = TcpStream::connect((request.uri().host(), request.uri().port())).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());

    let (upgrade, request) = ClientUpgrade::start::<Empty<Bytes>>(request)?;
    let mut response = sender.send_request(request).await?;
    let (response, upgrading) = upgrade.check(&mut response, Config::new())?;
    eprintln!("subprotocol: {:?}", response.subprotocol());

    let mut websocket = upgrading.await?;
    websocket.send(message).await?;
    let answer = websocket.recv().await?;
    websocket.close(CloseCode::NORMAL).await?;
    while websocket.recv().await?.is_some() {}
    Ok(answer)
}
