//! One element of `Sec-WebSocket-Extensions`: RFC 6455 §9.1.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::error::BuildError;
use super::list::is_token;

/// An extension as it is offered or accepted: a name and parameters (RFC 6455 §9.1).
///
/// All parts are tokens, checked on the way in, so that what [`Display`](fmt::Display) writes is
/// always a legal list element: a value that came quoted had to be a token and needs no quotes.
///
/// ```
/// use sansocket::handshake::Extension;
///
/// let deflate = Extension::new("permessage-deflate")?
///     .flag("server_no_context_takeover")?
///     .param("client_max_window_bits", "12")?;
/// assert_eq!(
///     deflate.to_string(),
///     "permessage-deflate; server_no_context_takeover; client_max_window_bits=12",
/// );
/// # Ok::<(), sansocket::handshake::BuildError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Extension {
    name: String,
    params: Vec<(String, Option<String>)>,
}

impl Extension {
    /// An extension without parameters.
    ///
    /// # Errors
    /// [`BuildError::Extension`] if the name is not a token.
    pub fn new(name: impl Into<String>) -> Result<Self, BuildError> {
        let name = name.into();
        if !is_token(&name) {
            return Err(BuildError::Extension);
        }
        Ok(Self::from_parts(name, Vec::new()))
    }

    /// Adds a parameter that has a value.
    ///
    /// # Errors
    /// [`BuildError::Extension`] if the name or the value is not a token.
    pub fn param(
        self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, BuildError> {
        self.push(name.into(), Some(value.into()))
    }

    /// Adds a parameter that has no value.
    ///
    /// # Errors
    /// [`BuildError::Extension`] if the name is not a token.
    pub fn flag(self, name: impl Into<String>) -> Result<Self, BuildError> {
        self.push(name.into(), None)
    }

    fn push(mut self, name: String, value: Option<String>) -> Result<Self, BuildError> {
        if !is_token(&name) || value.as_deref().is_some_and(|value| !is_token(value)) {
            return Err(BuildError::Extension);
        }
        self.params.push((name, value));
        Ok(self)
    }

    /// For the tokenizer, which has checked the parts.
    pub(crate) const fn from_parts(name: String, params: Vec<(String, Option<String>)>) -> Self {
        Self { name, params }
    }

    /// The registered name, such as `permessage-deflate`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Parameters in their order, with their unquoted values. A name may come more than once: what
    /// that means is for the extension to say.
    pub fn params(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (name, value) in self.params() {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_not_tokens_are_refused() {
        for bad in ["", "a b", "a\r\nb", "a;b", "a,b", "é"] {
            assert_eq!(Extension::new(bad), Err(BuildError::Extension));
            let mux = Extension::new("mux").unwrap();
            assert_eq!(mux.clone().flag(bad), Err(BuildError::Extension));
            assert_eq!(mux.clone().param(bad, "1"), Err(BuildError::Extension));
            assert_eq!(mux.param("a", bad), Err(BuildError::Extension));
        }
    }
}
