//! A chat: rooms, private messages and who is there, with a page for browsers. See the README next to
//! this package.

mod connection;
mod feed;
mod hub;
mod memory;
mod protocol;
mod redis;
mod server;
mod session;
mod store;

use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;

use crate::hub::Hub;
use crate::memory::Memory;
use crate::redis::Redis;
use crate::store::Store;

const USAGE: &str = "\
usage: chat [--addr HOST:PORT] [--redis redis://HOST:PORT]

  --addr HOST:PORT    where to listen (127.0.0.1:3000); port 0 takes a free one
  --redis URL         share the rooms with other servers, and keep them there
";

struct Options {
    addr: String,
    redis: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::from_args() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("{error}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let mut id = [0; 8];
    getrandom::fill(&mut id)?;
    let id = format!("{:016x}", u64::from_ne_bytes(id));
    let store = match &options.redis {
        Some(url) => Store::Redis(Box::new(Redis::new(url, id.clone())?)),
        None => Store::Memory(Mutex::new(Memory::default())),
    };
    let hub = Arc::new(Hub::new(store));
    let presence = hub.clone();
    tokio::spawn(async move { presence.tell_presence().await });
    let live = hub.clone();
    tokio::spawn(async move {
        if let Store::Redis(redis) = &live.store {
            redis::follow(&live, redis).await;
        }
    });
    let listener = TcpListener::bind(&options.addr).await?;
    println!("open http://{}/", listener.local_addr()?);
    server::run(listener, hub, id.into(), terminated()).await?;
    Ok(())
}

/// Waits until the process is asked to end.
async fn terminated() {
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupted => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    interrupted.await;
}

impl Options {
    /// `None` if only help is asked for.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::*;

        let mut options = Self {
            addr: "127.0.0.1:3000".to_owned(),
            redis: None,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("addr") => options.addr = parser.value()?.string()?,
                Long("redis") => options.redis = Some(parser.value()?.string()?),
                Long("help") | Short('h') => return Ok(None),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(Some(options))
    }
}
