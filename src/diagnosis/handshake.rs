//! The opening handshake: what a request or a response lacks, and what a status means.

use super::Explain;
use crate::handshake::server::Refusal;
use crate::handshake::{
    BuildError, HeadError, HeaderError, InvalidOrigin, ListError, RefusedResponse, RequestError,
    ResponseError, UriError,
};

impl Explain for RefusedResponse {
    fn explanation(&self) -> &'static str {
        match self.status() {
            200..=299 => {
                "An ordinary page came back: the path is no WebSocket endpoint, or a proxy on the way \
                 removed the Upgrade header (nginx: proxy_http_version 1.1, proxy_set_header Upgrade and \
                 Connection)."
            }
            300..=399 => {
                "A redirect, which is not followed: connect to what its Location header says, often \
                 wss:// instead of ws://, or a slash more at the end. Send credentials to no other origin."
            }
            400 => {
                "The request did not get there as it was sent: a proxy on the way may have removed Upgrade \
                 or Connection; or the server wants a parameter or subprotocol, or TLS (wss://). The body \
                 may say."
            }
            401 => {
                "The server wants credentials: send a token or a cookie with the request, or a fresh one. \
                 The WWW-Authenticate header says of which kind."
            }
            403 => {
                "The server refuses this client: its Origin is not allowed, its token lacks the right, or \
                 a firewall stands before the server."
            }
            404 => "There is no such path, for this Host: check both, and the routes of proxies.",
            405 => "The path exists but takes no GET: it is no WebSocket endpoint.",
            407 => "A proxy on the way wants credentials of its own.",
            408 => {
                "The server waited too long for the request: the network or this machine was slow."
            }
            426 => {
                "The server wants another upgrade: another Sec-WebSocket-Version, which its response \
                 names, or it got no Upgrade header because a proxy on the way removed it."
            }
            429 => {
                "Too many connections or requests from here: wait as long as Retry-After says, with \
                 growing delays."
            }
            431 => "The headers are too large for the server, mostly cookies.",
            500 => "The server failed at this request: look at its log.",
            501 => "The server or a proxy on the way does not know how to upgrade a connection.",
            502 => {
                "A gateway got no valid answer from the server behind it: is that running, and does the \
                 gateway speak HTTP/1.1 to it?"
            }
            503 => {
                "The server is overloaded or in maintenance: wait as long as Retry-After says, with \
                 growing delays."
            }
            504 => "A gateway got no answer in time from the server behind it.",
            505 => "The server does not take HTTP/1.1.",
            402..=499 => "The server holds the request to be wrong; the body may say why.",
            _ => {
                "The server or a gateway failed, mostly for a time: look at its log, and try again later."
            }
        }
    }
}

impl Explain for ResponseError {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Head(HeadError::Tls) => {
                "The server speaks TLS on this port: the URI has to begin with wss://, or the port is \
                 another one."
            }
            Self::Head(HeadError::HttpVersion) => {
                "The server answered in another version of HTTP, which cannot be upgraded: it has to speak \
                 HTTP/1.1 here (over TLS: negotiate http/1.1 by ALPN)."
            }
            Self::Head(HeadError::StartLine) => {
                "The server speaks another protocol on this port, HTTP/2 or none of the web: check the port."
            }
            Self::Head(error) => error.explanation(),
            Self::Refused(response) => response.explanation(),
            Self::HttpVersion => {
                "HTTP/1.0 cannot be upgraded: a proxy on the way speaks it (nginx: proxy_http_version 1.1)."
            }
            Self::UpgradeHeader => {
                "The server switched to something else, or a proxy on the way changed the response."
            }
            Self::ConnectionHeader => {
                "A proxy on the way removed the header from the response: it has to pass Connection and \
                 Upgrade on."
            }
            Self::MissingAccept => {
                "The server said 101 without knowing the WebSocket handshake, or a proxy on the way \
                 removed the header."
            }
            Self::DuplicateAccept => {
                "The server and a proxy, or two layers of the server, have both answered the handshake."
            }
            Self::WrongAccept => {
                "The server does not speak WebSocket, or something on the way answered from a cache."
            }
            Self::List { error, .. } => error.explanation(),
            Self::SubprotocolNotOffered(_) => {
                "The server has to choose among those offered, or none: offer the one it speaks, with the \
                 same spelling."
            }
            Self::DuplicateSubprotocol => {
                "A server chooses one: its application and its framework may both have added the header."
            }
            Self::ExtensionNotOffered(_) => {
                "The server, or a proxy on the way, answers with an extension unasked: turn it off there."
            }
            Self::DuplicateExtension(_) => {
                "The server, or a proxy on the way, has added its Sec-WebSocket-Extensions header twice."
            }
            Self::ExtensionParameters(_) => {
                "The server asks for what was not offered, such as a larger window: its library is \
                 faulty, or compression can be turned off here."
            }
            Self::TimedOut => {
                "The server took the connection but did not answer: it is overloaded, speaks TLS or another \
                 protocol on this port, or a proxy holds the response back."
            }
        }
    }
}

impl Explain for RequestError {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Head(HeadError::Tls) => {
                "The client speaks TLS to a plain port: it has to use ws://, or the server needs TLS, its \
                 own or a proxy's."
            }
            Self::Head(HeadError::HttpVersion) => {
                "The client or a proxy speaks HTTP/2 or something older than HTTP/1.0 to this port: a \
                 WebSocket is opened in HTTP/1.1 here."
            }
            Self::Head(HeadError::StartLine) => {
                "The client speaks another protocol, for instance a port scanner: it is no HTTP."
            }
            Self::Head(error) => error.explanation(),
            Self::MissingHost => {
                "HTTP/1.1 asks for it: a client written by hand, or a faulty proxy."
            }
            Self::DuplicateHost => {
                "Refused since two readers may take two hosts out of it: mostly a proxy that adds its own."
            }
            Self::InvalidHost => {
                "Look at what the client or a proxy puts there: a path or a scheme, say."
            }
            Self::Method => {
                "The client sent another method to a WebSocket path: a form or a health check, perhaps."
            }
            Self::Target => "The client has to percent-encode the path, and begin it with a slash.",
            Self::NotAnUpgrade => {
                "A browser's or monitor's ordinary request; or a proxy on the way removed the Upgrade \
                 header (nginx: proxy_http_version 1.1, proxy_set_header Upgrade and Connection)."
            }
            Self::ConnectionHeader => {
                "A proxy on the way passed Upgrade on but not Connection (nginx: proxy_set_header \
                 Connection \"upgrade\")."
            }
            Self::HttpVersion => {
                "A proxy on the way speaks HTTP/1.0 to this server (nginx: proxy_http_version 1.1)."
            }
            Self::Body => {
                "Refused since its bytes could be taken for frames: the client is faulty."
            }
            Self::MissingVersion => {
                "The client does not speak RFC 6455, or a proxy removed the header."
            }
            Self::DuplicateVersion => "The client, or a proxy on the way, adds the header twice.",
            Self::UnsupportedVersion => {
                "The client speaks a draft from before RFC 6455, as browsers did before 2012. It was told \
                 13, and may try again."
            }
            Self::MissingKey => {
                "The client does not do the WebSocket handshake, or a proxy cut it out."
            }
            Self::DuplicateKey => "Two layers of the client have both begun the handshake.",
            Self::InvalidKey => "The client made the key wrongly: 16 random bytes, in base64.",
            Self::List { error, .. } => error.explanation(),
            Self::DuplicateSubprotocol => "The client has to name each once (RFC 6455 §4.1).",
            Self::InvalidOrigin => {
                "Browsers send one, in ASCII: the client is none, or a proxy adds one."
            }
            Self::TimedOut => {
                "The client connected and sent nothing, or too slowly: a port scanner, a load balancer's \
                 health check, a slow attack, or a very bad network."
            }
            Self::NotUpgradable => {
                "A middleware took the upgrade out of the request before, or the server does not enable \
                 upgrades (hyper: with_upgrades)."
            }
        }
    }
}

impl Explain for Refusal {
    fn explanation(&self) -> &'static str {
        self.error().explanation()
    }
}

impl Explain for InvalidOrigin {
    fn explanation(&self) -> &'static str {
        "Write scheme and host, and the port if it is not the default one, without a slash at the end: \
         https://chat.example."
    }
}

impl Explain for HeadError {
    fn explanation(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => {
                "Limits::max_head_size is the limit. Mostly cookies are what makes a head large."
            }
            Self::TooManyHeaders { .. } => {
                "Limits::max_headers is the limit. Proxies may add many; a hostile peer too."
            }
            Self::Tls => {
                "One side speaks TLS and the other does not: compare ws:// and wss://, and ports."
            }
            Self::ControlCharacter => "This is no HTTP, or the bytes were damaged: check the port.",
            Self::LineEnding => {
                "Refused since two readers may see different lines in it: a peer written by hand."
            }
            Self::StartLine => "The peer speaks another protocol: check the port.",
            Self::HttpVersion => "A WebSocket is opened in HTTP/1.1 here: check proxies and ALPN.",
            Self::HeaderName => {
                "A peer or proxy writes headers with spaces, or folded over two lines."
            }
            Self::HeaderValue => "A peer or proxy writes a control character into a header.",
        }
    }
}

impl Explain for ListError {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Empty => "The header is there without a value: leave it out instead.",
            Self::Token => "Look for spaces, slashes or other separators in a name or value.",
            Self::QuotedString => "Look for a missing quote or a stray backslash.",
            Self::QuotedNotToken => {
                "What is in quotes may only be what could stand without (§9.1)."
            }
            Self::TooMany => "No real peer sends so many: it is faulty or hostile.",
        }
    }
}

impl Explain for UriError {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Scheme => {
                "Write ws://host/path, or wss:// for TLS, in place of http:// and https://."
            }
            Self::Host => "Between :// and the path stands a name or an address; IPv6 in brackets.",
            Self::Port => "Leave it out for 80 (ws) and 443 (wss).",
            Self::UserInfo => "Credentials in a URI end up in logs: send an Authorization header.",
            Self::Fragment => "What is behind a # never leaves a browser: use the query for it.",
            Self::Character => "Percent-encode the path and query, and write the host in punycode.",
        }
    }
}

impl Explain for BuildError {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Header(error) => error.explanation(),
            Self::ReservedHeader(_) => {
                "Leave it out: the request and the response have methods for it."
            }
            Self::Subprotocol => "A name has neither spaces nor commas nor slashes: try a hyphen.",
            Self::DuplicateSubprotocol => "Offer each name once, the preferred one first.",
            Self::SubprotocolNotOffered => "Choose among what the request offers, or none.",
            Self::Extension => "Names and values have neither spaces nor separators.",
            Self::ExtensionNotOffered => {
                "A server only answers: look at the offers of the request."
            }
            Self::DuplicateExtension => "Take the first offer that suits, and answer that alone.",
            Self::Origin => "An origin is scheme, host and port, such as https://chat.example.",
            Self::Status(_) => "101 is what accepting sends; a refusal has a status of its own.",
            Self::BodyNotAllowed(_) => "Leave the body out, or choose another status.",
            Self::Http => {
                "Look at the number and size of the headers, and percent-encode the path."
            }
        }
    }
}

impl Explain for HeaderError {
    fn explanation(&self) -> &'static str {
        match self {
            Self::Name => "A name has letters, digits and hyphens, and no colon.",
            Self::Value { .. } => {
                "Line ends in a value would let whoever chose it add headers: trim or encode it."
            }
        }
    }
}
