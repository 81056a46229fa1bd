//! The client's opening handshake on an async stream.

use core::future::poll_fn;
use core::task::Poll;

use super::super::READ_SIZE;
use super::super::error::ConnectError;
use super::super::opening::{ClientOpening, Opened};
use super::end::End;
use super::io::Io;
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::buffer::ReceiveBuffer;
use crate::config::Config;
use crate::handshake::client;

/// Does a client's opening handshake on a stream that is connected.
///
/// # Errors
/// See [`ConnectError`]. With a refusal, its body has been received as far as it came.
pub async fn handshake<T: Transport>(
    transport: T,
    request: client::Request,
    config: Config,
) -> Result<(WebSocket<T>, client::Response), ConnectError> {
    let mut opening = ClientOpening::new(request, config)?;
    let mut io = Io::new(transport);
    let mut rx = ReceiveBuffer::new();
    loop {
        opening = match opening.proceed(&mut rx, io.now())? {
            Opened::Waits(opening) => opening,
            Opened::Done(connection, response) => {
                let end = End::new(io, connection);
                return Ok((WebSocket::from_end(end, rx), response));
            }
        };
        let deadline = opening.deadline();
        let moved = poll_fn(|cx| {
            let (written, _) = io.poll_write_all(cx, &mut opening.connection.transmit());
            let moved = match written {
                Poll::Ready(Ok(())) => io.poll_read(cx, &mut rx, READ_SIZE),
                written => written.map_ok(|()| 0),
            };
            match moved {
                Poll::Pending if io.has_come(cx, deadline) => Poll::Ready(Ok(None)),
                moved => moved.map_ok(Some),
            }
        });
        match moved.await {
            Ok(None | Some(1..)) => {}
            Ok(Some(0)) => return Err(opening.on_end(None)),
            Err(error) => return Err(opening.on_end(Some(error))),
        }
    }
}
