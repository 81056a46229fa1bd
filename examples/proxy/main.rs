//! Talks to a WebSocket server through a proxy.
//!
//! ```text
//! cargo run --features tokio --example proxy -- \
//!     --proxy http://127.0.0.1:3128 ws://127.0.0.1:9001/ hello
//! ```

mod connect;

use std::error::Error;
use std::process::exit;
use std::time::Duration;

use sansocket::CloseCode;
use sansocket::handshake::ResponseError;
use sansocket::handshake::client::Request;
use sansocket::tokio::{ConnectError, Connector};
use tokio::time::timeout;

use connect::{Credentials, Proxy, connect};

const USAGE: &str = "\
usage: proxy --proxy URL [--proxy-auth USER:PASSWORD] URI [MESSAGE]...   (wss:// with the feature `rustls`)

Sends each message to the server at a ws:// URI, and prints its answer.

  --proxy URL                 http://HOST:PORT or socks5://HOST:PORT
  --proxy-auth USER:PASSWORD  who we are to the proxy
";

struct Options {
    uri: String,
    proxy: Proxy,
    messages: Vec<String>,
}

impl Options {
    fn from_args() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;

        let mut proxy: Option<Proxy> = None;
        let mut credentials: Option<Credentials> = None;
        let mut uri = None;
        let mut messages = Vec::new();
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("proxy") => proxy = Some(args.value()?.parse()?),
                Long("proxy-auth") => credentials = Some(args.value()?.parse()?),
                Short('h') | Long("help") => {
                    print!("{USAGE}");
                    exit(0);
                }
                Value(value) if uri.is_none() => uri = Some(value.string()?),
                Value(value) => messages.push(value.string()?),
                _ => return Err(arg.unexpected()),
            }
        }
        let mut proxy = proxy.ok_or("--proxy is missing")?;
        if let Some(credentials) = credentials {
            proxy = proxy.credentials(credentials);
        }
        let uri = uri.ok_or("the URI is missing")?;
        Ok(Self {
            uri,
            proxy,
            messages,
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = match Options::from_args() {
        Ok(options) => options,
        Err(error) => {
            eprint!("{error}\n{USAGE}");
            exit(64);
        }
    };
    if let Err(error) = run(options).await {
        eprintln!("{error}");
        if let Some(location) = redirection(&*error) {
            eprintln!("it points to {location}");
        }
        exit(1);
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error + Send + Sync>> {
    let request = Request::new(options.uri.parse()?);
    let connector = Connector::new();
    // The connector's deadlines begin with the stream that the proxy gives.
    let connecting = connect(&connector, request, &options.proxy);
    let (mut websocket, _) = timeout(Duration::from_secs(20), connecting).await??;
    for message in options.messages {
        websocket.send(message).await?;
        let Some(answer) = websocket.recv().await? else {
            return Ok(());
        };
        println!("{}", String::from_utf8_lossy(answer.as_bytes()));
    }
    websocket.close(CloseCode::NORMAL).await?;
    while websocket.recv().await?.is_some() {}
    Ok(())
}

/// Where a server's redirect points to. Whether to go there is for a person to decide.
fn redirection<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a str> {
    match error.downcast_ref() {
        Some(ConnectError::Response(ResponseError::Refused(response))) => {
            response.headers().get("Location")
        }
        _ => None,
    }
}
