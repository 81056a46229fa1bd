//! How a server accepts a request: RFC 6455 §4.2.2.

use alloc::string::String;
use alloc::vec::Vec;

use super::error::BuildError;
use super::extension::Extension;
use super::headers::Headers;
use super::key::Key;
use super::negotiation::{Answer, Offer};
use super::rejection::{append, status_line};
use super::upgrade;
#[cfg(feature = "deflate")]
use crate::extension::deflate::{DeflateConfig, DeflateParams};
use crate::trace::trace;

/// How to accept a [`Request`](super::server::Request).
///
/// ```
/// use sansocket::handshake::server::Acceptance;
///
/// let acceptance = Acceptance::new().subprotocol("chat").header("Set-Cookie", "session=1");
/// # let _ = acceptance;
/// ```
#[derive(Debug, Clone)]
pub struct Acceptance {
    subprotocol: Option<String>,
    extensions: Vec<Extension>,
    headers: Result<Headers, BuildError>,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateConfig>,
}

impl Acceptance {
    /// Accepts the request without subprotocol, extensions or further headers.
    pub const fn new() -> Self {
        Self {
            subprotocol: None,
            extensions: Vec::new(),
            headers: Ok(Headers::new()),
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// Chooses one of the subprotocols offered.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Accepts an extension offered, with the parameters of the answer.
    ///
    /// That is a promise to speak it: a [`Connection`](crate::Connection) fails frames with reserved
    /// bits that it knows no extension for.
    #[must_use]
    pub fn extension(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Accepts permessage-deflate (RFC 7692) if one of the offers for it fits. What comes of it is in
    /// [`Accepted::deflate`].
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config);
        self
    }

    /// Adds a header to the response.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        append(&mut self.headers, name, value, upgrade::is_reserved);
        self
    }

    /// The answer to a request that has this key and this offer.
    pub(super) fn answer(self, key: &Key, offer: &Offer) -> Result<Accepted, BuildError> {
        let extra = self.headers?;
        #[allow(unused_mut)]
        let mut extensions = self.extensions;
        #[cfg(feature = "deflate")]
        let deflate = self
            .deflate
            .and_then(|config| config.accept(offer.extensions()))
            .map(|(extension, params)| {
                extensions.insert(0, extension);
                params
            });
        let answer = offer.answer(self.subprotocol.as_deref(), extensions)?;
        trace!(request_accepted(
            answer.subprotocol(),
            answer.extensions().len()
        ));
        let mut headers = upgrade::response_headers(key, &answer);
        headers.extend_checked(&extra);
        let mut response = status_line(101);
        headers.write_to(&mut response);
        Ok(Accepted {
            response,
            headers,
            answer,
            #[cfg(feature = "deflate")]
            deflate,
        })
    }
}

impl Default for Acceptance {
    fn default() -> Self {
        Self::new()
    }
}

/// An accepted request: when its response is written, the WebSocket is open.
#[derive(Debug, Clone)]
pub struct Accepted {
    response: Vec<u8>,
    headers: Headers,
    answer: Answer,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateParams>,
}

impl Accepted {
    /// The bytes to write: the head of a response of status 101.
    pub fn response(&self) -> &[u8] {
        &self.response
    }

    /// The headers of that response, for an HTTP library to write it.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The subprotocol in use, if one is.
    pub fn subprotocol(&self) -> Option<&str> {
        self.answer.subprotocol()
    }

    /// The extensions in use, in the order in which they apply.
    pub fn extensions(&self) -> &[Extension] {
        self.answer.extensions()
    }

    /// What was agreed on of permessage-deflate, if it was offered and accepted: for
    /// [`Connection::with_deflate`](crate::Connection::with_deflate).
    #[cfg(feature = "deflate")]
    pub const fn deflate(&self) -> Option<DeflateParams> {
        self.deflate
    }

    /// What was negotiated, without the bytes.
    pub fn into_answer(self) -> Answer {
        self.answer
    }
}
