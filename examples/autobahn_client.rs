//! The client that the Autobahn Testsuite's fuzzing server examines: echoes whatever comes.
//!
//! ```text
//! cargo run --release --example autobahn_client -- --url ws://127.0.0.1:9002 [--agent NAME]
//! ```
//!
//! With the feature `tokio`, `--adapter tokio` does the same through that adapter.

#[path = "common/compression.rs"]
#[allow(dead_code)] // has no options
mod compression;

use std::error::Error;

use compression::Compression;
use sansocket::blocking::{Connector, MaybeTlsStream, WebSocket};
use sansocket::handshake::client::Request;
use sansocket::{Config, Message};

/// The suite's largest messages have 16 MiB.
const MAX_MESSAGE: u64 = 64 * 1024 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::prelude::*;

    let (mut url, mut agent) = (
        String::from("ws://127.0.0.1:9002"),
        String::from("sansocket"),
    );
    let mut adapter = String::from("std");
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("url") => url = args.value()?.string()?,
            Long("agent") => agent = args.value()?.string()?,
            Long("adapter") => adapter = args.value()?.string()?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    let count = match adapter.as_str() {
        "std" => on_std(&url, &agent)?,
        #[cfg(feature = "tokio")]
        "tokio" => on_tokio(&url, &agent)?,
        other => return Err(format!("no adapter {other}: std, or with its feature tokio").into()),
    };
    println!("{count} cases done");
    Ok(())
}

fn on_std(url: &str, agent: &str) -> Result<u32, Box<dyn Error>> {
    let count: u32 = match connect(&format!("{url}/getCaseCount"))?.messages().next() {
        Some(Ok(Message::Text(count))) => count.parse()?,
        other => return Err(format!("no case count but {other:?}").into()),
    };
    for case in 1..=count {
        let mut websocket = connect(&format!("{url}/runCase?case={case}&agent={agent}"))?;
        while let Some(message) = websocket.messages().next() {
            // A case may end in any way: the suite judges it.
            if message.and_then(|message| websocket.send(message)).is_err() {
                break;
            }
        }
    }
    let mut websocket = connect(&format!("{url}/updateReports?agent={agent}"))?;
    while websocket.recv_event()?.is_some() {}
    Ok(count)
}

fn connect(url: &str) -> Result<WebSocket<MaybeTlsStream>, Box<dyn Error>> {
    let connector = Connector::new().config(config());
    Ok(connector.connect(request(url)?)?.0)
}

#[cfg(feature = "tokio")]
#[tokio::main(flavor = "current_thread")]
async fn on_tokio(url: &str, agent: &str) -> Result<u32, Box<dyn Error>> {
    use sansocket::tokio::Connector;

    let connector = Connector::new().config(config());
    let connect = async |path: String| -> Result<_, Box<dyn Error>> {
        let request = request(&format!("{url}/{path}"))?;
        Ok(connector.connect(request).await?.0)
    };
    let count: u32 = match connect("getCaseCount".into()).await?.recv().await? {
        Some(Message::Text(count)) => count.parse()?,
        other => return Err(format!("no case count but {other:?}").into()),
    };
    for case in 1..=count {
        let mut websocket = connect(format!("runCase?case={case}&agent={agent}")).await?;
        while let Ok(Some(message)) = websocket.recv().await {
            // It leaves when nothing more has come. As above, the suite judges the end.
            if websocket.feed(message).await.is_err() {
                break;
            }
        }
    }
    let mut websocket = connect(format!("updateReports?agent={agent}")).await?;
    while websocket.recv_event().await?.is_some() {}
    Ok(count)
}

fn config() -> Config {
    Config::new()
        .max_frame_size(MAX_MESSAGE)
        .max_message_size(MAX_MESSAGE)
}

fn request(url: &str) -> Result<Request, Box<dyn Error>> {
    Ok(Compression::new().offer(Request::new(url.parse()?)))
}
