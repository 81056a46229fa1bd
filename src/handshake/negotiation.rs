//! The part of the opening handshake that does not depend on the version of HTTP: version,
//! subprotocol, extensions and origin, as header pairs.
//!
//! HTTP/1.1 (RFC 6455 §4), HTTP/2 (RFC 8441 §5) and HTTP/3 (RFC 9220) share it, and so does whoever
//! has parsed the request with an HTTP library.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::{BuildError, RequestError, ResponseError};
use super::extension::Extension;
use super::headers::{Fields, Headers};
use super::list::{self, ListError};
#[cfg(feature = "deflate")]
use crate::extension::deflate::{DeflateConfig, DeflateParams};

const VERSION: &str = "Sec-WebSocket-Version";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// What a client offers: subprotocols and extensions, and the origin it speaks for.
///
/// A server [reads](Self::from_headers) it from a request of any version of HTTP and
/// [answers](Self::answer) it; a client builds it, [writes](Self::headers) it and
/// [checks the answer](Self::check_answer) against it.
///
/// ```
/// use sansocket::handshake::Offer;
///
/// // What an HTTP/2 library has parsed from an extended CONNECT (RFC 8441 §5).
/// let request: [(&str, &[u8]); 3] = [
///     ("sec-websocket-version", b"13"),
///     ("sec-websocket-protocol", b"chat, superchat"),
///     ("origin", b"https://example.com"),
/// ];
/// let offer = Offer::from_headers(request)?;
/// assert_eq!(offer.origin(), Some("https://example.com"));
///
/// let answer = offer.answer(offer.select_subprotocol(&["superchat"]), [])?;
/// assert_eq!(answer.headers().get("Sec-WebSocket-Protocol"), Some("superchat"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    subprotocols: Vec<String>,
    extensions: Vec<Extension>,
    origin: Option<String>,
}

impl Offer {
    /// An offer of nothing but WebSocket version 13.
    pub const fn new() -> Self {
        Self {
            subprotocols: Vec::new(),
            extensions: Vec::new(),
            origin: None,
        }
    }

    /// Adds a subprotocol, behind those that are preferred to it.
    ///
    /// # Errors
    /// [`BuildError::Subprotocol`] if it is not a token, [`BuildError::DuplicateSubprotocol`] if it
    /// is offered already (RFC 6455 §4.1 item 10).
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Result<Self, BuildError> {
        let name = name.into();
        if !list::is_token(&name) {
            return Err(BuildError::Subprotocol);
        }
        if self.subprotocols.contains(&name) {
            return Err(BuildError::DuplicateSubprotocol);
        }
        self.subprotocols.push(name);
        Ok(self)
    }

    /// Adds an extension, behind those that are preferred to it.
    #[must_use]
    pub fn with_extension(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Sets the origin: a browser must, others may (RFC 6455 §4.1 item 8).
    ///
    /// # Errors
    /// [`BuildError::Origin`] if it is empty or not ASCII text.
    pub fn with_origin(mut self, origin: impl Into<String>) -> Result<Self, BuildError> {
        let origin = origin.into();
        if !is_origin_text(origin.as_bytes()) {
            return Err(BuildError::Origin);
        }
        self.origin = Some(origin);
        Ok(self)
    }

    /// Reads the offer from the headers of a request (RFC 6455 §4.2.1 items 6 to 9).
    ///
    /// # Errors
    /// The [`RequestError`] that says which header is missing, malformed, or there more than once.
    pub fn from_headers<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, RequestError> {
        let headers = Fields::new(headers);
        check_version(&headers)?;
        // An origin that cannot be read must not pass for one that is missing.
        let origin = match headers.at_most_one("Origin") {
            Ok(None) => None,
            Ok(Some(value)) if is_origin_text(value) => core::str::from_utf8(value).ok(),
            Ok(Some(_)) | Err(_) => return Err(RequestError::InvalidOrigin),
        };
        let malformed = |header| move |error| RequestError::List { header, error };
        let subprotocols = list::tokens(headers.all(PROTOCOL)).map_err(malformed(PROTOCOL))?;
        // The tokenizer caps their number, so this is not quadratic in the size of the head.
        let mut seen = subprotocols.iter();
        while let Some(name) = seen.next() {
            if seen.as_slice().contains(name) {
                return Err(RequestError::DuplicateSubprotocol);
            }
        }
        Ok(Self {
            subprotocols: subprotocols.into_iter().map(ToOwned::to_owned).collect(),
            extensions: list::extensions(headers.all(EXTENSIONS)).map_err(malformed(EXTENSIONS))?,
            origin: origin.map(ToOwned::to_owned),
        })
    }

    /// The subprotocols offered, the preferred one first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.subprotocols.iter().map(String::as_str)
    }

    /// The extensions offered, the preferred one first.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The origin of the page that connects: see [`OriginAllowList`](super::OriginAllowList).
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The first subprotocol offered, so the one the client prefers, that is among those `supported`.
    pub fn select_subprotocol(&self, supported: &[&str]) -> Option<&str> {
        self.subprotocols().find(|name| supported.contains(name))
    }

    /// The headers of a request that makes this offer, the version included.
    pub fn headers(&self) -> Headers {
        let mut headers = Headers::new();
        headers.append_checked(VERSION, b"13");
        append_list(&mut headers, PROTOCOL, &self.subprotocols);
        append_list(&mut headers, EXTENSIONS, &self.extensions);
        if let Some(origin) = &self.origin {
            headers.append_checked("Origin", origin.as_bytes());
        }
        headers
    }

    /// The server's answer: what it accepts of this offer (RFC 6455 §4.2.2).
    ///
    /// # Errors
    /// [`BuildError`] if the subprotocol or an extension was not offered, or one is there twice.
    pub fn answer(
        &self,
        subprotocol: Option<&str>,
        extensions: impl IntoIterator<Item = Extension>,
    ) -> Result<Answer, BuildError> {
        if subprotocol.is_some_and(|name| !self.offers_subprotocol(name)) {
            return Err(BuildError::SubprotocolNotOffered);
        }
        let extensions: Vec<_> = extensions.into_iter().collect();
        for extension in &extensions {
            if !self.offers_extension(extension) {
                return Err(BuildError::ExtensionNotOffered);
            }
        }
        if repeated(&extensions).is_some() {
            return Err(BuildError::DuplicateExtension);
        }
        Ok(Answer {
            subprotocol: subprotocol.map(ToOwned::to_owned),
            extensions,
        })
    }

    /// Offers extensions before those that are there.
    #[cfg(feature = "deflate")]
    pub(super) fn with_preferred_extensions(
        mut self,
        extensions: impl Iterator<Item = Extension>,
    ) -> Self {
        self.extensions.splice(0..0, extensions);
        self
    }

    /// The client's check of the headers of a response: nothing but what was offered
    /// (RFC 6455 §4.1, checks 5 and 6).
    ///
    /// # Errors
    /// The [`ResponseError`] that says what was not offered, malformed, or there more than once.
    pub fn check_answer<'a>(
        &self,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Answer, ResponseError> {
        let headers = Fields::new(headers);
        let malformed = |header| move |error: ListError| ResponseError::List { header, error };
        let chosen = list::tokens(headers.all(PROTOCOL)).map_err(malformed(PROTOCOL))?;
        let subprotocol = match chosen.as_slice() {
            [] => None,
            // §4.3: one token, where a list may have empty elements.
            [name] if !is_alone(name, headers.all(PROTOCOL)) => {
                return Err(malformed(PROTOCOL)(ListError::Token));
            }
            [name] if self.offers_subprotocol(name) => Some((*name).to_owned()),
            [name] => return Err(ResponseError::SubprotocolNotOffered((*name).to_owned())),
            _ => return Err(ResponseError::DuplicateSubprotocol),
        };
        let extensions =
            list::extensions(headers.all(EXTENSIONS)).map_err(malformed(EXTENSIONS))?;
        if let Some(foreign) = extensions.iter().find(|used| !self.offers_extension(used)) {
            return Err(ResponseError::ExtensionNotOffered(
                foreign.name().to_owned(),
            ));
        }
        if let Some(extension) = repeated(&extensions) {
            return Err(ResponseError::DuplicateExtension(
                extension.name().to_owned(),
            ));
        }
        Ok(Answer {
            subprotocol,
            extensions,
        })
    }

    fn offers_subprotocol(&self, name: &str) -> bool {
        self.subprotocols().any(|offered| offered == name)
    }

    /// By name: what parameters may answer which is for the extension to check.
    fn offers_extension(&self, extension: &Extension) -> bool {
        self.extensions
            .iter()
            .any(|offered| offered.name() == extension.name())
    }
}

/// What a server has accepted of an [`Offer`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    subprotocol: Option<String>,
    extensions: Vec<Extension>,
}

impl Answer {
    /// What the server has answered to an offer of permessage-deflate.
    #[cfg(feature = "deflate")]
    pub(super) fn deflate(
        &self,
        offered: Option<&DeflateConfig>,
    ) -> Result<Option<DeflateParams>, ResponseError> {
        let Some(config) = offered else {
            return Ok(None);
        };
        let mut answers = self.extensions.iter();
        let Some(answer) = answers.find(|answer| DeflateConfig::is_meant_by(answer)) else {
            return Ok(None);
        };
        match config.confirm(answer) {
            Some(params) => Ok(Some(params)),
            None => Err(ResponseError::ExtensionParameters(answer.to_string())),
        }
    }

    /// The subprotocol in use, if one is.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The extensions in use, in the order in which they apply (RFC 6455 §9.1).
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The headers of a response that gives this answer.
    pub fn headers(&self) -> Headers {
        let mut headers = Headers::new();
        append_list(&mut headers, PROTOCOL, self.subprotocol.as_slice());
        append_list(&mut headers, EXTENSIONS, &self.extensions);
        headers
    }
}

/// RFC 6455 §4.2.1 item 6: exactly one version, and the only one there is.
pub(crate) fn check_version(headers: &Fields<'_>) -> Result<(), RequestError> {
    match headers.at_most_one(VERSION) {
        Ok(Some(b"13")) => Ok(()),
        Ok(Some(_)) => Err(RequestError::UnsupportedVersion),
        Ok(None) => Err(RequestError::MissingVersion),
        Err(_) => Err(RequestError::DuplicateVersion),
    }
}

/// Whether these lines are one, with this token and nothing else.
fn is_alone<'a>(token: &str, mut lines: impl Iterator<Item = &'a [u8]>) -> bool {
    lines.next().map(<[u8]>::trim_ascii) == Some(token.as_bytes()) && lines.next().is_none()
}

/// An extension whose name comes again.
fn repeated(extensions: &[Extension]) -> Option<&Extension> {
    let mut rest = extensions.iter();
    while let Some(extension) = rest.next() {
        if rest
            .as_slice()
            .iter()
            .any(|other| other.name() == extension.name())
        {
            return Some(extension);
        }
    }
    None
}

/// RFC 6454 §7.1, as far as it keeps a header line whole; an empty one says nothing.
fn is_origin_text(value: &[u8]) -> bool {
    !value.is_empty()
        && value.trim_ascii().len() == value.len()
        && value.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// All in one line, since all are tokens.
fn append_list(headers: &mut Headers, name: &str, list: &[impl ToString]) {
    if !list.is_empty() {
        let list: Vec<String> = list.iter().map(ToString::to_string).collect();
        headers.append_checked(name, list.join(", ").as_bytes());
    }
}
