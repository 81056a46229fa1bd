//! TLS streams: like rustls's own reads and writes, but a deadline holds over all that one of them
//! waits for, the TLS handshake included, and a write that would block neither waits to read nor
//! claims to have taken nothing.

use core::ops::{Deref, DerefMut};
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::Instant;

use rustls::{ConnectionCommon, SideData, StreamOwned};

use super::transport::Transport;

/// TLS over a transport, for clients and servers; the TLS handshake is done by the first read or
/// write.
///
/// The time-outs are those of the transport below. Its end without a `close_notify` alert is
/// `UnexpectedEof`, as somebody else may have cut it short.
impl<C, D, S> Transport for StreamOwned<C, S>
where
    C: Deref<Target = ConnectionCommon<D>> + DerefMut,
    D: SideData,
    S: Transport,
{
    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.sock.read_timeout()
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.sock.set_read_timeout(timeout)
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.sock.write_timeout()
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.sock.set_write_timeout(timeout)
    }

    fn read_before(&mut self, buf: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let mut sock = Before(&mut self.sock, deadline);
        finish_handshake(&mut self.conn, &mut sock)?;
        loop {
            match self.conn.reader().read(buf) {
                // No whole record has come.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            // What waits to be written is left to a flush: the peer may not read before we do.
            receive(&mut self.conn, &mut sock)?;
        }
    }

    fn write_before(
        &mut self,
        bufs: &[IoSlice<'_>],
        deadline: Option<Instant>,
    ) -> io::Result<usize> {
        let mut sock = Before(&mut self.sock, deadline);
        finish_handshake(&mut self.conn, &mut sock)?;
        // Nothing is taken while records wait: what rustls holds back stays bounded.
        transmit(&mut self.conn, &mut sock)?;
        let taken = self.conn.writer().write_vectored(bufs)?;
        // An error shows again at the next write or flush: these bytes have been taken.
        let _ = transmit(&mut self.conn, &mut sock);
        Ok(taken)
    }

    fn flush_before(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        transmit(&mut self.conn, &mut Before(&mut self.sock, deadline))
    }

    /// Sends `close_notify`, then ends the direction of the transport below.
    fn shutdown_write(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush_before(deadline)?;
        self.sock.shutdown_write(deadline)
    }
}

/// The transport below, until the deadline.
struct Before<'a, S>(&'a mut S, Option<Instant>);

impl<S: Transport> Read for Before<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_before(buf, self.1)
    }
}

impl<S: Transport> Write for Before<'_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_before(bufs, self.1)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush_before(self.1)
    }
}

/// Also writes the last message of the handshake: the peer waits for it.
fn finish_handshake<D: SideData>(
    conn: &mut ConnectionCommon<D>,
    sock: &mut (impl Read + Write),
) -> io::Result<()> {
    while conn.is_handshaking() {
        transmit(conn, sock)?;
        if !receive(conn, sock)? && conn.is_handshaking() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if !conn.is_handshaking() {
            transmit(conn, sock)?;
        }
    }
    Ok(())
}

/// Reads once; gives whether the transport has not ended.
fn receive<D: SideData>(
    conn: &mut ConnectionCommon<D>,
    sock: &mut (impl Read + Write),
) -> io::Result<bool> {
    let n = conn.read_tls(sock)?;
    if let Err(error) = conn.process_new_packets() {
        // The alert that says why.
        let _ = transmit(conn, sock);
        return Err(io::Error::new(ErrorKind::InvalidData, error));
    }
    Ok(n > 0)
}

/// Writes all records that wait.
fn transmit<D: SideData>(
    conn: &mut ConnectionCommon<D>,
    sock: &mut (impl Read + Write),
) -> io::Result<()> {
    while conn.wants_write() {
        if conn.write_tls(sock)? == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
    }
    sock.flush()
}
