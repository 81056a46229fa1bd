//! Sending what has been prepared for many connections.

use core::future::poll_fn;

use super::super::error::Error;
use super::commands::{Sender, taken};
use super::spare;
use crate::connection::Prepared;

pub(super) async fn feed(to: &mut impl Sender, message: &Prepared) -> Result<(), Error> {
    poll_fn(|cx| {
        to.with_end(|end| {
            spare::fill_queue(&mut end.connection, message.len());
            end.poll_command(cx, |connection| taken(connection.send_prepared(message)))
        })
    })
    .await
}

/// The public methods, for an `impl` of whoever is a [`Sender`].
macro_rules! methods {
    () => {
        /// Sends a message that has been [prepared](crate::Prepared) for many connections, and flushes.
        ///
        /// # Cancel safety
        /// As for [`send`](Self::send).
        ///
        /// # Errors
        /// The stream's; or the message cannot be sent, since the connection is closing, say.
        pub async fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
            prepared::feed(self, message).await?;
            commands::flush(self).await
        }

        /// Queues a message that has been [prepared](crate::Prepared) for many connections, to leave with
        /// the next flush or receive. Waits for room only.
        ///
        /// # Cancel safety
        /// Dropped before it was done, the message was not queued.
        ///
        /// # Errors
        /// As for [`send_prepared`](Self::send_prepared).
        pub async fn feed_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
            prepared::feed(self, message).await
        }
    };
}

pub(super) use methods;
