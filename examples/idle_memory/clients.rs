//! The clients, one after the other on one thread: they say on stdout what they have done, and read
//! from stdin what to do next.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use sansocket::blocking::{Connector, MaybeTlsStream, WebSocket};
use sansocket::handshake::client::Request;

use crate::{Kind, descriptors};

/// What each connection exchanges once.
const TEXT: &str = "0123456789012345678901234567890123456789012345678901234567890123456789\
                    012345678901234567890123456789";

enum Client {
    Bare(TcpStream),
    WebSocket(Box<WebSocket<MaybeTlsStream>>),
}

/// One connection and its message first, so that what is made but once is there; then all of them.
pub(crate) fn run(
    kind: Kind,
    addresses: &[String],
    connections: usize,
) -> Result<(), Box<dyn Error>> {
    descriptors::make_room(connections + 1)?;
    let mut first = Client::connect(kind, addresses.first().ok_or("no address")?)?;
    first.exchange()?;
    done()?;
    let mut clients = Vec::with_capacity(connections);
    for address in addresses.iter().cycle().take(connections) {
        clients.push(Client::connect(kind, address)?);
    }
    done()?;
    for client in &mut clients {
        client.exchange()?;
    }
    done()?;
    // Until the server has measured.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Says so, and waits for the server to say go on.
fn done() -> io::Result<()> {
    println!("done");
    io::stdout().flush()?;
    io::stdin().read_exact(&mut [0])
}

impl Client {
    fn connect(kind: Kind, address: &str) -> Result<Self, Box<dyn Error>> {
        if kind == Kind::Bare {
            return Ok(Self::Bare(TcpStream::connect(address)?));
        }
        let request = Request::new(format!("ws://{address}/").parse()?);
        #[cfg(feature = "deflate")]
        let request = match kind {
            Kind::Deflate | Kind::Takeover => request.deflate(sansocket::DeflateConfig::new()),
            _ => request,
        };
        let (websocket, _) = Connector::new().connect(request)?;
        Ok(Self::WebSocket(Box::new(websocket)))
    }

    fn exchange(&mut self) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Bare(stream) => {
                stream.write_all(TEXT.as_bytes())?;
                stream.read_exact(&mut [0; TEXT.len()])?;
            }
            Self::WebSocket(websocket) => {
                websocket.send(TEXT)?;
                let echo = websocket.recv()?;
                if echo != Some(TEXT.into()) {
                    return Err(format!("{echo:?} came for the text").into());
                }
            }
        }
        Ok(())
    }
}
