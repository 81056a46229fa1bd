//! Holds many idle connections to an echo server and a few busy ones:
//! `cargo run --release --features tokio --example load -- --help`.

#[path = "common/descriptors.rs"]
mod descriptors;

use std::fmt::Display;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use sansocket::handshake::client::Request;
use sansocket::tokio::{Connector, MaybeTlsStream, WebSocket};
use sansocket::{CloseCode, Event};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

const USAGE: &str = "\
usage: load URL [OPTIONS]

  --idle N        connections that wait, and at the end send a ping (1000)
  --active N      connections that send a text, wait for its echo, and so on (100)
  --size BYTES    the size of each text (100)
  --seconds S     how long that goes on (10)
  --help          print this

Exit status: 0 if every echo was equal to what was sent and every connection still there at the end,
1 if not, 64 for wrong arguments.
";

/// How many connections are opened at a time.
const OPENERS: usize = 64;

/// How long an echo, a pong or the end of a connection may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Options {
    request: Request,
    idle: usize,
    active: usize,
    size: usize,
    seconds: u64,
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

async fn run(options: Options) -> Result<(), String> {
    descriptors::make_room(options.idle + options.active)?;
    let began = Instant::now();
    let mut idle = open(&options.request, options.idle).await?;
    let active = open(&options.request, options.active).await?;
    let Options { size, seconds, .. } = options;
    println!(
        "{} idle and {} active connections opened in {:.1} s",
        idle.len(),
        active.len(),
        began.elapsed().as_secs_f64()
    );

    let (over, is_over) = watch::channel(());
    let mut waiting = JoinSet::new();
    for websocket in idle.drain(..) {
        waiting.spawn(wait(websocket, is_over.clone()));
    }
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let mut talking = JoinSet::new();
    for (number, websocket) in active.into_iter().enumerate() {
        talking.spawn(talk(websocket, number, size, until));
    }

    tokio::time::sleep_until(until.into()).await;
    let mut failures = Failures::default();
    let mut times = Vec::new();
    while let Some(result) = talking.join_next().await {
        match flat(result) {
            Ok(more) => times.extend(more),
            Err(failure) => failures.add("active", &failure),
        }
    }
    let elapsed = began.elapsed().as_secs_f64();
    report(&mut times, size, elapsed);

    let _ = over.send(());
    let mut alive = 0;
    while let Some(result) = waiting.join_next().await {
        match flat(result) {
            Ok(()) => alive += 1,
            Err(failure) => failures.add("idle", &failure),
        }
    }
    if failures.0 == 0 {
        println!("every echo was equal to what was sent");
    }
    println!("{alive} idle connections got a pong and closed cleanly");
    failures.into_result()
}

fn report(times: &mut [Duration], size: usize, elapsed: f64) {
    times.sort_unstable();
    let at = |part: f64| {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let place = (times.len() as f64 * part) as usize;
        let time = times.get(place.min(times.len().saturating_sub(1)));
        time.copied().unwrap_or_default()
    };
    println!(
        "{} echoes of {size} bytes in {elapsed:.1} s: {:.0} per second",
        times.len(),
        times.len() as f64 / elapsed
    );
    println!(
        "round trips: median {:.1?}, 99 of 100 within {:.1?}, longest {:.1?}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Opens so many connections, some at a time.
async fn open(request: &Request, count: usize) -> Result<Vec<WebSocket<MaybeTlsStream>>, String> {
    let mut openers = JoinSet::new();
    for number in 0..OPENERS {
        let request = request.clone();
        openers.spawn(async move {
            let mut opened = Vec::new();
            for _ in (number..count).step_by(OPENERS) {
                let (websocket, _) = Connector::new()
                    .connect(request.clone())
                    .await
                    .map_err(|error| format!("a connection was not opened: {error}"))?;
                opened.push(websocket);
            }
            Ok(opened)
        });
    }
    let mut all = Vec::with_capacity(count);
    while let Some(result) = openers.join_next().await {
        all.append(&mut flat(result)?);
    }
    Ok(all)
}

/// An idle connection: receives, so that keep-alive pings are answered, and at the end shows that
/// the server is still there.
async fn wait(
    mut websocket: WebSocket<MaybeTlsStream>,
    mut over: watch::Receiver<()>,
) -> Result<(), String> {
    loop {
        tokio::select! {
            event = websocket.recv_event() => match event {
                Ok(Some(Event::Ping(_))) => {}
                Ok(Some(event)) => return Err(format!("{event:?} came unasked")),
                Ok(None) => return Err("the server closed".into()),
                Err(error) => return Err(error.to_string()),
            },
            _ = over.changed() => break,
        }
    }
    websocket.ping(b"still there?").await.map_err(text)?;
    let pong = async {
        loop {
            match websocket.recv_event().await.map_err(text)? {
                Some(Event::Pong(b"still there?")) => return Ok(()),
                Some(Event::Ping(_)) => {}
                other => return Err(format!("no pong but {other:?}")),
            }
        }
    };
    timeout(PATIENCE, pong).await.map_err(text)??;
    close(websocket).await
}

/// A busy connection: gives how long each echo took.
async fn talk(
    mut websocket: WebSocket<MaybeTlsStream>,
    number: usize,
    size: usize,
    until: Instant,
) -> Result<Vec<Duration>, String> {
    let mut times = Vec::new();
    while Instant::now() < until {
        // No two are the same, as far as they have room to differ.
        let mut message = format!("{} of {number} ", times.len());
        message.extend(('a'..='z').cycle().take(size.saturating_sub(message.len())));
        message.truncate(size);
        let sent = Instant::now();
        let echo = async {
            websocket.send(message.as_str()).await.map_err(text)?;
            loop {
                match websocket.recv_event().await.map_err(text)? {
                    Some(Event::Text(echo)) if *echo == *message => return Ok(()),
                    Some(Event::Ping(_)) => {}
                    other => return Err(format!("for {message:?} came {other:?}")),
                }
            }
        };
        timeout(PATIENCE, echo).await.map_err(text)??;
        times.push(sent.elapsed());
    }
    close(websocket).await?;
    Ok(times)
}

async fn close(mut websocket: WebSocket<MaybeTlsStream>) -> Result<(), String> {
    let closed = async {
        websocket.close(CloseCode::NORMAL).await?;
        while websocket.recv_event().await?.is_some() {}
        Ok::<_, sansocket::tokio::Error>(())
    };
    timeout(PATIENCE, closed).await.map_err(text)?.map_err(text)
}

/// A task that panicked failed as well.
fn flat<R>(result: Result<Result<R, String>, tokio::task::JoinError>) -> Result<R, String> {
    result.map_err(text)?
}

fn text(error: impl Display) -> String {
    error.to_string()
}

/// Counted, and the first few of them told.
#[derive(Default)]
struct Failures(usize);

impl Failures {
    fn add(&mut self, which: &str, failure: &str) {
        self.0 += 1;
        if self.0 <= 10 {
            eprintln!("an {which} connection failed: {failure}");
        }
    }

    fn into_result(self) -> Result<(), String> {
        match self.0 {
            0 => Ok(()),
            failed => Err(format!("{failed} connections failed")),
        }
    }
}

impl Options {
    /// `None` if only help is asked for.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::*;

        let mut url = None;
        let (mut idle, mut active, mut size, mut seconds) = (1000, 100, 100, 10);
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("idle") => idle = args.value()?.parse()?,
                Long("active") => active = args.value()?.parse()?,
                Long("size") => size = args.value()?.parse()?,
                Long("seconds") => seconds = args.value()?.parse()?,
                Short('h') | Long("help") => return Ok(None),
                Value(value) if url.is_none() => url = Some(value.string()?),
                _ => return Err(arg.unexpected()),
            }
        }
        let uri = url.ok_or("a URL is missing")?.parse();
        Ok(Some(Self {
            request: Request::new(uri.map_err(|error| format!("{error}"))?),
            idle,
            active,
            size,
            seconds,
        }))
    }
}
