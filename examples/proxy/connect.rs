//! Connects to a WebSocket server through a proxy: HTTP `CONNECT` (RFC 9110 §9.3.6) or SOCKS5
//! (RFC 1928).
//!
//! A proxy gives a stream to the server; [`Connector::handshake`] does the rest on it. So it goes
//! with any other stream of one's own.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sansocket::handshake::client::{Request, Response};
use sansocket::tokio::{Connector, MaybeTlsStream, WebSocket};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;

/// The most that a proxy's answer may take, in bytes.
pub(crate) const MAX_HEAD: usize = 16 * 1024;

/// The stream to the server. What came behind the proxy's answer is read from it first.
pub(crate) type Tunnel = BufReader<TcpStream>;

/// A proxy, and who we are to it.
#[derive(Clone)]
pub(crate) struct Proxy {
    protocol: Protocol,
    host: String,
    port: u16,
    credentials: Option<Credentials>,
}

#[derive(Clone, Copy)]
enum Protocol {
    Http,
    Socks5,
}

/// A user's name and password, written `user:password`.
#[derive(Clone)]
pub(crate) struct Credentials {
    user: String,
    password: String,
}

impl Proxy {
    /// Authenticates: `Basic` to an HTTP proxy (RFC 7617), by name and password to a SOCKS5 proxy
    /// (RFC 1929). Both send the password as it is.
    pub(crate) fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// A stream to a host and port. The name goes to the proxy, which resolves it.
    pub(crate) async fn connect(&self, host: &str, port: u16) -> Result<Tunnel, ProxyError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        // Less than what a WebSocket reads at once, so that the buffer, once empty, is passed by.
        let stream = BufReader::with_capacity(1024, stream);
        match self.protocol {
            Protocol::Http => self.connect_http(stream, host, port).await,
            Protocol::Socks5 => self.connect_socks5(stream, host, port).await,
        }
    }

    async fn connect_http(
        &self,
        mut stream: Tunnel,
        host: &str,
        port: u16,
    ) -> Result<Tunnel, ProxyError> {
        let authority = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(Credentials { user, password }) = &self.credentials {
            let basic = STANDARD.encode(format!("{user}:{password}"));
            request += &format!("Proxy-Authorization: Basic {basic}\r\n");
        }
        request += "\r\n";
        stream.write_all(request.as_bytes()).await?;
        loop {
            let head = read_head(&mut stream).await?;
            let (status, line) = parse_status(&head).ok_or(ProxyError::Answer)?;
            match status {
                // RFC 9110 §15.2: more than one may come before the one that counts.
                100..=199 => {}
                // Of these none has a body: the tunnel begins behind the head.
                200..=299 => return Ok(stream),
                _ => return Err(ProxyError::Refused(line.to_owned())),
            }
        }
    }

    async fn connect_socks5(
        &self,
        stream: Tunnel,
        host: &str,
        port: u16,
    ) -> Result<Tunnel, ProxyError> {
        let target = (host, port);
        let connected = match &self.credentials {
            None => Socks5Stream::connect_with_socket(stream, target).await,
            Some(Credentials { user, password }) => {
                Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
            }
        };
        Ok(connected?.into_inner())
    }
}

/// Connects, and does the opening handshake, to what the request's URI names.
pub(crate) async fn connect(
    connector: &Connector,
    request: Request,
    proxy: &Proxy,
) -> Result<(WebSocket<MaybeTlsStream<Tunnel>>, Response), Box<dyn Error + Send + Sync>> {
    let uri = request.uri();
    let tunnel = proxy.connect(uri.host(), uri.port()).await?;
    Ok(connector.connect_over(request, tunnel).await?)
}

/// Reads up to the blank line, and keeps what is behind it.
async fn read_head(stream: &mut Tunnel) -> Result<Vec<u8>, ProxyError> {
    let mut head = Vec::new();
    let mut stream = stream.take(MAX_HEAD as u64);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head).await? == 0 {
            return Err(match stream.limit() {
                0 => ProxyError::TooLarge,
                _ => io::Error::from(ErrorKind::UnexpectedEof).into(),
            });
        }
    }
    Ok(head)
}

/// The status of an answer, and with it the reason.
fn parse_status(head: &[u8]) -> Option<(u16, &str)> {
    let line = head.split(|&byte| byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    let (_minor, line) = line.split_once(' ')?;
    let status = line.split(' ').next()?;
    let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    Some((is_status.then_some(status)?.parse().ok()?, line.trim_end()))
}

impl FromStr for Proxy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (protocol, authority) = match text.split_once("://") {
            Some(("http", authority)) => (Protocol::Http, authority),
            Some(("socks5", authority)) => (Protocol::Socks5, authority),
            _ => return Err("a proxy is http://HOST:PORT or socks5://HOST:PORT"),
        };
        let (host, port) = authority
            .trim_end_matches('/')
            .rsplit_once(':')
            .ok_or("the proxy needs a port")?;
        if host.contains('@') {
            return Err("the user of a proxy goes into --proxy-auth");
        }
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Ok(Self {
            protocol,
            host: host.to_owned(),
            port: port.parse().map_err(|_| "the proxy's port is no port")?,
            credentials: None,
        })
    }
}

impl FromStr for Credentials {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (user, password) = text
            .split_once(':')
            .ok_or("credentials are USER:PASSWORD")?;
        Ok(Self {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }
}

/// Why a proxy gives no stream.
#[derive(Debug)]
pub(crate) enum ProxyError {
    /// It answered with this status and reason.
    Refused(String),
    /// Its answer is none of HTTP/1.
    Answer,
    /// Its answer is longer than [`MAX_HEAD`].
    TooLarge,
    Socks(tokio_socks::Error),
    Io(io::Error),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "the proxy refused: {status}"),
            Self::Answer => f.write_str("the proxy's answer is not HTTP/1.1"),
            Self::TooLarge => write!(f, "the proxy's answer has more than {MAX_HEAD} bytes"),
            Self::Socks(error) => write!(f, "proxy: {error}"),
            Self::Io(error) => write!(f, "proxy: {error}"),
        }
    }
}

impl Error for ProxyError {}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<tokio_socks::Error> for ProxyError {
    fn from(error: tokio_socks::Error) -> Self {
        Self::Socks(error)
    }
}
