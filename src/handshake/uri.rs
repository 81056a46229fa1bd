//! `ws:` and `wss:` URIs: RFC 6455 §3.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::error::Error;
use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

/// A `ws:` or `wss:` URI, taken apart (RFC 6455 §3).
///
/// ```
/// use sansocket::handshake::WsUri;
///
/// let uri: WsUri = "wss://[::1]:8443/chat?room=1".parse()?;
/// assert!(uri.is_secure());
/// assert_eq!((uri.host(), uri.port()), ("::1", 8443)); // what to connect to
/// assert_eq!(uri.host_header(), "[::1]:8443");
/// assert_eq!(uri.resource_name(), "/chat?room=1");
/// # Ok::<(), sansocket::handshake::UriError>(())
/// ```
///
/// Characters that a URI should have percent-encoded, such as `|`, are let through, except spaces,
/// control characters and whatever is not ASCII.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WsUri {
    secure: bool,
    /// Lower-case, without brackets.
    host: String,
    port: u16,
    resource_name: String,
}

impl WsUri {
    /// The host to connect to, lower-case: a name or an address; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to: 80 or 443 if the URI has none.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is to run over TLS: `wss`.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Path and query, at least `/`: what the request asks for.
    pub fn resource_name(&self) -> &str {
        &self.resource_name
    }

    /// The value of the `Host` header: the port is left out if it is the default one (§4.1 item 4).
    pub fn host_header(&self) -> String {
        let (open, close) = if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        let host = &self.host;
        if self.port == default_port(self.secure) {
            format!("{open}{host}{close}")
        } else {
            format!("{open}{host}{close}:{}", self.port)
        }
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

impl FromStr for WsUri {
    type Err = UriError;

    fn from_str(uri: &str) -> Result<Self, UriError> {
        if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UriError::Character);
        }
        // §3: a number sign cannot be part of the resource name.
        if uri.contains('#') {
            return Err(UriError::Fragment);
        }
        let (scheme, rest) = uri.split_once("://").ok_or(UriError::Scheme)?;
        let secure = if scheme.eq_ignore_ascii_case("ws") {
            false
        } else if scheme.eq_ignore_ascii_case("wss") {
            true
        } else {
            return Err(UriError::Scheme);
        };
        let (authority, resource) = split_authority(rest);
        let authority = Authority::parse(authority)?;
        Ok(Self {
            secure,
            host: authority.host.to_ascii_lowercase(),
            port: authority.port.unwrap_or(default_port(secure)),
            resource_name: resource_name(resource),
        })
    }
}

impl fmt::Display for WsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.host_header(), self.resource_name)
    }
}

/// Cuts what follows `://` where the path or the query begins.
pub(crate) fn split_authority(rest: &str) -> (&str, &str) {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest.split_at_checked(end).unwrap_or((rest, ""))
}

/// §3: the resource name is the path, or `/` if that is empty, and the query.
pub(crate) fn resource_name(path_and_query: &str) -> String {
    if path_and_query.starts_with('/') {
        path_and_query.to_owned()
    } else {
        format!("/{path_and_query}")
    }
}

/// A host and a port that may be left out (RFC 3986 §3.2), without user information.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    /// Without the brackets of an IPv6 address.
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, UriError> {
        // It would end up in logs, and no browser takes it: credentials belong in a header.
        if text.contains('@') {
            return Err(UriError::UserInfo);
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, port) = rest.split_once(']').ok_or(UriError::Host)?;
            host.parse::<Ipv6Addr>().map_err(|_| UriError::Host)?;
            (host, port)
        } else {
            let end = text.find(':').unwrap_or(text.len());
            let (host, port) = text.split_at_checked(end).unwrap_or((text, ""));
            if host.is_empty() || !is_reg_name(host.as_bytes()) {
                return Err(UriError::Host);
            }
            (host, port)
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return Err(UriError::Host),
            // RFC 3986 §3.2.3 allows the colon without a port.
            Some("") => None,
            Some(digits) => Some(parse_port(digits)?),
        };
        Ok(Self { host, port })
    }
}

fn parse_port(digits: &str) -> Result<u16, UriError> {
    // `u16::from_str` would take a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UriError::Port);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(UriError::Port),
        Ok(port) => Ok(port),
    }
}

/// RFC 3986 §3.2.2: unreserved characters, sub-delimiters and percent-encoded bytes. An IPv4 address
/// is one as well.
fn is_reg_name(mut name: &[u8]) -> bool {
    loop {
        name = match name {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            [byte, rest @ ..] if byte.is_ascii_alphanumeric() => rest,
            [b'-' | b'.' | b'_' | b'~', rest @ ..] => rest,
            [b'!' | b'$' | b'&' | b'\'' | b'(' | b')', rest @ ..] => rest,
            [b'*' | b'+' | b',' | b';' | b'=', rest @ ..] => rest,
            _ => return false,
        };
    }
}

/// Why a text is not a `ws:` or `wss:` URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriError {
    /// The scheme is neither `ws` nor `wss`, or `://` is missing.
    Scheme,
    /// The host is missing or malformed.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// There is a user name or password before the host.
    UserInfo,
    /// There is a `#`, which a WebSocket URI may not have (RFC 6455 §3).
    Fragment,
    /// There is a space, a control character or a character that is not ASCII.
    Character,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the URI does not begin with ws:// or wss://",
            Self::Host => "the host in the URI is missing or malformed",
            Self::Port => "the port in the URI is not a number from 1 to 65535",
            Self::UserInfo => "the URI has a user name: send credentials in a header",
            Self::Fragment => "the URI has a #: percent-encode it as %23 (RFC 6455 §3)",
            Self::Character => {
                "the URI has a space, control or non-ASCII character: percent-encode it"
            }
        })
    }
}

impl Error for UriError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn parse(uri: &str) -> WsUri {
        uri.parse().unwrap()
    }

    #[test]
    fn defaults_are_filled_in() {
        let uri = parse("ws://Example.COM");
        assert_eq!(
            (uri.host(), uri.port(), uri.is_secure()),
            ("example.com", 80, false)
        );
        assert_eq!(uri.resource_name(), "/");
        assert_eq!(parse("WSS://a/").port(), 443);
        assert_eq!(parse("ws://a?x=1/2").resource_name(), "/?x=1/2");
        assert_eq!(parse("ws://a:/").port(), 80);
    }

    #[test]
    fn the_host_header_has_the_port_unless_it_is_the_default_one() {
        assert_eq!(parse("ws://a:80").host_header(), "a");
        assert_eq!(parse("ws://a:443").host_header(), "a:443");
        assert_eq!(parse("wss://a:443").host_header(), "a");
        assert_eq!(
            parse("wss://[2001:DB8::1]:80").host_header(),
            "[2001:db8::1]:80"
        );
        assert_eq!(parse("ws://127.0.0.1:9001").host_header(), "127.0.0.1:9001");
    }

    #[test]
    fn what_is_shown_parses_to_the_same() {
        for text in ["ws://a/", "wss://[::1]:80/x?y=%20|z", "ws://a.b-c_d:81/?q"] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn malformed_uris_are_refused() {
        for (bad, error) in [
            ("", UriError::Scheme),
            ("http://a/", UriError::Scheme),
            ("ws:/a", UriError::Scheme),
            ("//a", UriError::Scheme),
            ("ws://", UriError::Host),
            ("ws:///x", UriError::Host),
            ("ws://:80/", UriError::Host),
            ("ws://a b/", UriError::Character),
            ("ws://a/\r\nx: y", UriError::Character),
            ("ws://ä/", UriError::Character),
            ("ws://a/ü", UriError::Character),
            ("ws://a\\b/", UriError::Host),
            ("ws://a%2/", UriError::Host),
            ("ws://[::1/", UriError::Host),
            ("ws://[::g]/", UriError::Host),
            ("ws://[127.0.0.1]/", UriError::Host),
            ("ws://[fe80::1%25eth0]/", UriError::Host),
            ("ws://[::1]x/", UriError::Host),
            ("ws://::1/", UriError::Host),
            ("ws://a:b:80/", UriError::Port),
            ("ws://a:0/", UriError::Port),
            ("ws://a:65536/", UriError::Port),
            ("ws://a:+80/", UriError::Port),
            ("ws://a:8a/", UriError::Port),
            ("ws://u:p@a/", UriError::UserInfo),
            ("ws://u@a/", UriError::UserInfo),
            ("ws://a/#x", UriError::Fragment),
            ("ws://a#x", UriError::Fragment),
        ] {
            assert_eq!(bad.parse::<WsUri>(), Err(error), "{bad:?}");
        }
    }
}
