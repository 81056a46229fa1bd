//! What was captured: bytes of both sides in their order, out of plain files or one of tcpdump's.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket, TcpSlice, TransportSlice};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

pub(crate) enum What {
    Bytes(Vec<u8>),
    /// FIN: this side sends nothing more.
    End,
    /// RST.
    Reset,
    /// Bytes that are not in the capture.
    Gap,
}

pub(crate) struct Piece {
    /// Since the beginning of the capture.
    pub(crate) time: Option<Duration>,
    pub(crate) side: Side,
    pub(crate) what: What,
}

pub(crate) struct Conversation {
    pub(crate) name: String,
    pub(crate) pieces: Vec<Piece>,
}

/// Hexadecimal digits, with anything between them but letters: spaces, colons, line ends.
pub(crate) fn from_hex(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut digits = Vec::new();
    for &byte in text {
        match (byte as char).to_digit(16) {
            Some(digit) => digits.extend(u8::try_from(digit)),
            None if byte.is_ascii_alphabetic() => {
                return Err(format!("'{}' is no hexadecimal digit", byte as char));
            }
            None => {}
        }
    }
    if digits.len() % 2 != 0 {
        return Err("an odd number of hexadecimal digits".to_owned());
    }
    Ok(digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}

/// Of a part of a segment, so that it fits.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// One direction of a TCP connection, put in order.
#[derive(Default)]
struct Stream {
    /// The sequence number of the next byte.
    next: Option<u32>,
    /// Came too early, by how far they are ahead.
    early: BTreeMap<u32, Vec<u8>>,
}

impl Stream {
    /// Takes a segment; gives the bytes that are next now.
    fn take(&mut self, sequence: u32, bytes: &[u8]) -> Vec<u8> {
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next);
        if ahead < 1 << 31 {
            self.early.insert(sequence, bytes.to_vec());
        } else if let Some(rest) = bytes.get(next.wrapping_sub(sequence) as usize..) {
            // A retransmission, with something new behind it.
            self.early.insert(next, rest.to_vec());
        }
        let mut taken = Vec::new();
        loop {
            let next = self.next.unwrap_or(sequence);
            // Also what begins before and goes beyond.
            let ready = self.early.iter().find_map(|(&at, bytes)| {
                let overlap = next.wrapping_sub(at);
                (overlap < 1 << 31).then_some((at, overlap as usize, bytes.len()))
            });
            let Some((at, overlap, len)) = ready else {
                return taken;
            };
            let bytes = self.early.remove(&at).unwrap_or_default();
            if overlap < len {
                taken.extend_from_slice(&bytes[overlap..]);
                self.next = Some(next.wrapping_add(length(len - overlap)));
            }
        }
    }
}

#[derive(Default)]
struct Connection {
    pieces: Vec<(Duration, SocketAddr, What)>,
    streams: HashMap<SocketAddr, Stream>,
    client: Option<SocketAddr>,
}

/// All TCP connections of a capture, or those of a port alone.
pub(crate) fn read_pcap(file: impl Read, port: Option<u16>) -> Result<Vec<Conversation>, String> {
    let mut reader = PcapReader::new(file).map_err(|error| error.to_string())?;
    let link = reader.header().datalink;
    let mut order = Vec::new();
    let mut connections: HashMap<[SocketAddr; 2], Connection> = HashMap::new();
    let mut began = None;
    let mut is_cut = false;
    while let Some(packet) = reader.next_packet() {
        let packet = packet.map_err(|error| error.to_string())?;
        let time = packet.timestamp;
        let time = time.saturating_sub(*began.get_or_insert(time));
        is_cut |= (packet.orig_len as usize) > packet.data.len();
        let Some((from, to, tcp)) = tcp_segment(link, &packet.data) else {
            continue;
        };
        if port.is_some_and(|port| from.port() != port && to.port() != port) {
            continue;
        }
        let mut key = [from, to];
        key.sort_unstable();
        let connection = connections.entry(key).or_insert_with(|| {
            order.push(key);
            Connection::default()
        });
        if tcp.syn() {
            if !tcp.ack() {
                connection.client = Some(from);
            }
            let stream = connection.streams.entry(from).or_default();
            stream.next = Some(tcp.sequence_number().wrapping_add(1));
            continue;
        }
        let stream = connection.streams.entry(from).or_default();
        let payload = tcp.payload();
        // A keep-alive repeats a byte; an ACK alone says nothing.
        if !payload.is_empty() {
            let bytes = stream.take(tcp.sequence_number(), payload);
            if connection.client.is_none() && bytes.starts_with(b"GET ") {
                connection.client = Some(from);
            }
            if !bytes.is_empty() {
                connection.pieces.push((time, from, What::Bytes(bytes)));
            }
        }
        if tcp.rst() {
            connection.pieces.push((time, from, What::Reset));
        } else if tcp.fin() {
            connection.pieces.push((time, from, What::End));
        }
    }
    if is_cut {
        eprintln!("the capture has packets that were cut: have tcpdump take all of them with -s 0");
    }
    let conversations = order.into_iter().filter_map(|key| {
        let connection = connections.remove(&key)?;
        Some(conversation(key, connection))
    });
    Ok(conversations
        .filter(|conversation| !conversation.pieces.is_empty())
        .collect())
}

fn conversation([a, b]: [SocketAddr; 2], connection: Connection) -> Conversation {
    // Whose beginning was not captured: servers have the lower port.
    let client = connection
        .client
        .unwrap_or(if a.port() > b.port() { a } else { b });
    let server = if client == a { b } else { a };
    let side = |from| match from == client {
        true => Side::Client,
        false => Side::Server,
    };
    let mut pieces: Vec<Piece> = (connection.pieces.into_iter())
        .map(|(time, from, what)| Piece {
            time: Some(time),
            side: side(from),
            what,
        })
        .collect();
    for (from, stream) in connection.streams {
        if !stream.early.is_empty() {
            let time = pieces.last().and_then(|piece| piece.time);
            pieces.push(Piece {
                time,
                side: side(from),
                what: What::Gap,
            });
        }
    }
    let name = format!("{client} to {server}");
    Conversation { name, pieces }
}

fn tcp_segment(link: DataLink, data: &[u8]) -> Option<(SocketAddr, SocketAddr, TcpSlice<'_>)> {
    let packet = match link {
        DataLink::ETHERNET => SlicedPacket::from_ethernet(data).ok()?,
        // What is before the IP packet says little, and differs in its size.
        DataLink::NULL | DataLink::LOOP => SlicedPacket::from_ip(data.get(4..)?).ok()?,
        DataLink::LINUX_SLL => SlicedPacket::from_ip(data.get(16..)?).ok()?,
        DataLink::LINUX_SLL2 => SlicedPacket::from_ip(data.get(20..)?).ok()?,
        _ => SlicedPacket::from_ip(data).ok()?,
    };
    let (from, to): (IpAddr, IpAddr) = match packet.net? {
        NetSlice::Ipv4(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Ipv6(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Arp(_) => return None,
    };
    match packet.transport? {
        TransportSlice::Tcp(tcp) => Some((
            (from, tcp.source_port()).into(),
            (to, tcp.destination_port()).into(),
            tcp,
        )),
        _ => None,
    }
}
