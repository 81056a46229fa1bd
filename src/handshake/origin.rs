//! Which web pages may connect: RFC 6455 §10.2.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use super::uri::Authority;

/// The origins whose pages may open a WebSocket to this server (RFC 6455 §10.2).
///
/// Browsers let any page connect to any server, and send cookies along: a server that trusts these
/// has to look at the origin. Origins match exactly; scheme and host without regard to ASCII case, a
/// default port as if it were left out. The origin `null`, which any sandboxed page has, never matches.
///
/// ```
/// use sansocket::handshake::OriginAllowList;
///
/// let origins = OriginAllowList::new(["https://example.com", "http://localhost:3000"])?;
/// assert!(origins.allows(Some("https://EXAMPLE.com:443")));
/// assert!(!origins.allows(Some("https://example.com.evil.example")));
/// assert!(origins.allows(None)); // not a browser
/// # Ok::<(), sansocket::handshake::InvalidOrigin>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginAllowList {
    /// Normalised.
    origins: Vec<String>,
    allow_missing: bool,
}

impl OriginAllowList {
    /// A list of origins: `scheme://host` or `scheme://host:port`, without a path. A request without
    /// an origin is allowed.
    ///
    /// # Errors
    /// [`InvalidOrigin`] if one is not of this form.
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidOrigin> {
        let origins = origins
            .into_iter()
            .map(|origin| normalise(origin).ok_or(InvalidOrigin))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            origins,
            allow_missing: true,
        })
    }

    /// Whether a request without an origin is allowed: true at first. Browsers always send one, other
    /// clients mostly don't, and can send any.
    #[must_use]
    pub const fn allow_missing(mut self, allow: bool) -> Self {
        self.allow_missing = allow;
        self
    }

    /// Whether a request of this origin may go on; answer it with status 403 otherwise (§4.2.2 item 4).
    pub fn allows(&self, origin: Option<&str>) -> bool {
        let Some(origin) = origin else {
            return self.allow_missing;
        };
        normalise(origin).is_some_and(|origin| self.origins.contains(&origin))
    }
}

/// RFC 6454 §6.2: scheme, host and port, lower-case, and without the port if it is the default one.
fn normalise(origin: &str) -> Option<String> {
    let (scheme, authority) = origin.split_once("://")?;
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        || !scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let Authority { host, port } = Authority::parse(authority).ok()?;
    let host = host.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    Some(match port {
        Some(port) if Some(port) != default_port => format!("{scheme}://[{host}]:{port}"),
        _ => format!("{scheme}://[{host}]"),
    })
}

/// Not an origin of the form `scheme://host` or `scheme://host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidOrigin;

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an origin is not of the form scheme://host or scheme://host:port")
    }
}

impl Error for InvalidOrigin {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_match_exactly_but_for_case_and_default_ports() {
        let list = OriginAllowList::new(["HTTPS://a.example:443", "http://[::1]:3000", "app://x"])
            .unwrap();
        for good in [
            "https://A.example",
            "http://[::1]:3000",
            "APP://X",
            "app://x",
        ] {
            assert!(list.allows(Some(good)), "{good}");
        }
        for bad in [
            "",
            "null",
            "http://a.example",
            "https://a.example:444",
            "https://a.example.b",
            "https://b.a.example",
            "https://a.example/",
            "https://a.example@b",
            "http://[::1]",
            "app://x:443",
            "https://a.example https://b",
        ] {
            assert!(!list.allows(Some(bad)), "{bad}");
        }
    }

    #[test]
    fn a_request_without_origin_is_allowed_unless_forbidden() {
        let list = OriginAllowList::new([]).unwrap();
        assert!(list.allows(None));
        assert!(!list.allow_missing(false).allows(None));
    }

    #[test]
    fn what_is_no_origin_cannot_be_listed() {
        for bad in [
            "null",
            "*",
            "example.com",
            "https://a/",
            "https://",
            "://a",
            "1a://b",
        ] {
            assert_eq!(OriginAllowList::new([bad]), Err(InvalidOrigin), "{bad}");
        }
    }
}
