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
/// default port as if it were left out. `https://*.example.com` matches the hosts below `example.com`,
/// at any depth, and not itself. The origin `null`, which any sandboxed page has, never matches.
///
/// ```
/// use sansocket::handshake::OriginAllowList;
///
/// let origins = OriginAllowList::new([
///     "https://example.com",
///     "https://*.example.com",
///     "http://localhost:3000",
/// ])?;
/// assert!(origins.allows(Some("https://EXAMPLE.com:443")));
/// assert!(origins.allows(Some("https://chat.example.com")));
/// assert!(!origins.allows(Some("https://example.com.evil.example")));
/// assert!(origins.allows(None)); // not a browser
/// # Ok::<(), sansocket::handshake::InvalidOrigin>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginAllowList {
    allowed: Vec<Allowed>,
    allow_missing: bool,
}

/// Normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    Exactly(String),
    /// All whose host ends like this one's, behind a label of its own.
    Below {
        scheme: String,
        rest: String,
    },
}

impl Allowed {
    fn new(origin: &str) -> Option<Self> {
        let Some((scheme, parent)) = origin.split_once("://*.") else {
            return normalise(origin).map(Self::Exactly);
        };
        // Below an address there is nothing.
        if parent.starts_with('[') {
            return None;
        }
        let parent = normalise(&format!("{scheme}://{parent}"))?;
        let (scheme, rest) = parent.split_once('[')?;
        Some(Self::Below {
            scheme: format!("{scheme}["),
            rest: format!(".{rest}"),
        })
    }

    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Exactly(allowed) => allowed == origin,
            Self::Below { scheme, rest } => origin
                .strip_prefix(scheme.as_str())
                .and_then(|host| host.strip_suffix(rest.as_str()))
                .is_some_and(|labels| !labels.is_empty()),
        }
    }
}

impl OriginAllowList {
    /// A list of origins: `scheme://host` or `scheme://host:port`, without a path, where the host may
    /// begin with `*.`. A request without an origin is allowed.
    ///
    /// # Errors
    /// [`InvalidOrigin`] if one is not of this form.
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidOrigin> {
        let allowed = origins
            .into_iter()
            .map(|origin| Allowed::new(origin).ok_or(InvalidOrigin))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            allowed,
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
        normalise(origin)
            .is_some_and(|origin| self.allowed.iter().any(|allowed| allowed.matches(&origin)))
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
    // A host's name may have a star; a page's has none.
    if host.contains('*') {
        return None;
    }
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
    fn a_wildcard_matches_what_is_below_a_host_and_nothing_else() {
        let list = OriginAllowList::new(["https://*.A.example:443", "http://*.b:8080"]).unwrap();
        for good in [
            "https://x.a.example",
            "HTTPS://y.x.A.EXAMPLE:443",
            "http://x.b:8080",
        ] {
            assert!(list.allows(Some(good)), "{good}");
        }
        for bad in [
            "https://a.example",
            "https://.a.example",
            "https://*.a.example",
            "https://xa.example",
            "https://x.a.example.evil",
            "https://x.a.example:444",
            "http://x.a.example",
            "https://evil/.a.example",
            "https://evil@x.a.example",
            "http://x.b",
            "http://[::1].b:8080",
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
            "https://*",
            "https://*.",
            "https://*a.example",
            "https://a.*.example",
            "https://*.*.example",
            "*://*.example",
            "https://*.[::1]",
        ] {
            assert_eq!(OriginAllowList::new([bad]), Err(InvalidOrigin), "{bad}");
        }
    }
}
