//! The server through the std adapter: a thread for each connection.

use std::error::Error;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sansocket::blocking::{self, Incoming, Response, ServerHandshake, Step, Transport, WebSocket};
use sansocket::{Event, Message, SendError, State};

use crate::server::{Guard, Server, going_away};
use crate::tls;

/// How long a read or write waits before the connection looks whether the server shuts down.
const TICK: Duration = Duration::from_millis(200);

pub(crate) fn run(listener: &TcpListener, server: &Arc<Server>) {
    for stream in listener.incoming() {
        // An error here belongs to the one connection (reset before it was accepted), or is a lack
        // of descriptors, which others will give back.
        let Ok(stream) = stream else {
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let Some(guard) = Guard::new(server) else {
            continue;
        };
        // A thread that cannot be started drops the connection, not the server.
        let _ = thread::Builder::new().spawn(move || {
            if let Err(error) = serve(&guard.server, stream, guard.number) {
                eprintln!("{error}");
            }
        });
    }
}

fn serve(server: &Server, stream: TcpStream, number: usize) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TICK))?;
    stream.set_write_timeout(Some(TICK))?;
    match &server.tls {
        Some(tls) => serve_over(server, tls::wrap(tls, stream)?, number),
        None => serve_over(server, stream, number),
    }
}

fn serve_over(
    server: &Server,
    stream: impl Transport,
    number: usize,
) -> Result<(), Box<dyn Error>> {
    match handshake(server, stream, number)? {
        Some(websocket) => echo(server, websocket),
        None => Ok(()),
    }
}

/// Decides on the request; `None` if it has been answered with anything but a WebSocket.
fn handshake<S: Transport>(
    server: &Server,
    stream: S,
    number: usize,
) -> Result<Option<WebSocket<S>>, Box<dyn Error>> {
    let mut handshake = ServerHandshake::new(stream, server.limits());
    let incoming = loop {
        match handshake.proceed()? {
            Step::Done(incoming) => break incoming,
            Step::Blocked(_) if server.shutdown.has_begun() => return Ok(None),
            Step::Blocked(again) => handshake = again,
        }
    };
    match incoming {
        Incoming::Request(pending) => match server.decide(pending.request(), number) {
            Ok(acceptance) => return Ok(Some(pending.accept(acceptance, server.config.clone())?)),
            Err(rejection) => finish(pending.reject(rejection)?)?,
        },
        Incoming::Refused(pending) => match server.answer(pending.refusal(), number) {
            Some(response) => finish(pending.respond_with(response)?)?,
            None => finish(pending.answer()?)?,
        },
    }
    Ok(None)
}

fn echo(server: &Server, mut websocket: WebSocket<impl Transport>) -> Result<(), Box<dyn Error>> {
    // An answer that waits until the client has read enough of those before it.
    let mut waiting: Option<Message> = None;
    loop {
        if server.shutdown.has_begun() && websocket.connection().state() == State::Open {
            waiting = None;
            websocket.close(going_away())?;
        }
        if let Some(message) = waiting.take() {
            match websocket.send(message) {
                Err(blocking::Error::Send(SendError::Full(message))) => {
                    waiting = Some(message);
                    continue;
                }
                // No answers any more once the connection closes.
                Ok(()) | Err(blocking::Error::Send(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (event, connection) = match websocket.recv_with_connection() {
            Ok(Some(received)) => received,
            Ok(None) => return Ok(()),
            Err(error) if error.is_blocked() => continue,
            // A client may do what it likes: that ends its connection, not the server.
            Err(error) => return Err(error.into()),
        };
        // Answers collect on the connection and leave together, when nothing more has come.
        waiting = match event {
            Event::Text(text) => match connection.send_text(&text) {
                Err(SendError::Full(())) => Some(text.into_string().into()),
                _ => None,
            },
            Event::Binary(data) => match connection.send_binary(&data) {
                Err(SendError::Full(())) => Some(data.into_bytes().into()),
                _ => None,
            },
            _ => None,
        };
    }
}

/// Waits until a response has left and the client has ended the stream, or its time is over.
fn finish(mut step: Step<(), Response<impl Transport>>) -> io::Result<()> {
    while let Step::Blocked(response) = step {
        step = response.proceed()?;
    }
    Ok(())
}
