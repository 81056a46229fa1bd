//! Sending what has been prepared for many connections.

use super::super::error::Error;
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::connection::Prepared;

impl<S: Transport> WebSocket<S> {
    /// Sends a message that has been [prepared](Prepared) for many connections, and flushes.
    ///
    /// # Errors
    /// As for [`send`](Self::send), but nothing comes back.
    pub fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.command(|end| Ok(end.connection.send_prepared(message).map(|()| true)?))
    }

    /// Queues a message that has been [prepared](Prepared) for many connections, to leave with the next
    /// flush or receive.
    ///
    /// # Errors
    /// As for [`send_prepared`](Self::send_prepared).
    pub fn feed_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.command(|end| Ok(end.connection.send_prepared(message).map(|()| false)?))
    }
}
