//! The client that the Autobahn Testsuite's fuzzing server examines: echoes whatever comes.
//!
//! ```text
//! cargo run --release --example autobahn_client -- --url ws://127.0.0.1:9002 [--agent NAME]
//! ```

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
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("url") => url = args.value()?.string()?,
            Long("agent") => agent = args.value()?.string()?,
            _ => return Err(arg.unexpected().into()),
        }
    }
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
    println!("{count} cases done");
    Ok(())
}

fn connect(url: &str) -> Result<WebSocket<MaybeTlsStream>, Box<dyn Error>> {
    let config = Config::new()
        .max_frame_size(MAX_MESSAGE)
        .max_message_size(MAX_MESSAGE);
    let connector = Connector::new().config(config);
    let request = Compression::new().offer(Request::new(url.parse()?));
    Ok(connector.connect(request)?.0)
}
