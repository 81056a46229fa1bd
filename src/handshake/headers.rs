//! Header fields: an ordered list of names and values, valid by construction.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use super::list::is_token;

/// Header fields in the order in which they came or will be written (RFC 9110 §5).
///
/// Names are tokens and compare without regard to ASCII case; values hold no control character
/// except the tab, and so no line end: nothing that is written can start another header. Values
/// that were received may have bytes that are not ASCII, and are kept as they came.
///
/// ```
/// use sansocket::handshake::Headers;
///
/// let mut headers = Headers::new();
/// headers.append("Set-Cookie", "a=1")?;
/// headers.append("Set-Cookie", "b=2")?;
/// assert_eq!(headers.get("set-cookie"), Some("a=1"));
/// assert_eq!(headers.get_all("set-cookie").count(), 2);
/// assert!(headers.append("X-Name", "evil\r\nSet-Cookie: c=3").is_err());
/// # Ok::<(), sansocket::handshake::HeaderError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Headers {
    /// All names, then all values, one behind the other: three allocations for any number of fields.
    names: String,
    values: Vec<u8>,
    lengths: Vec<(usize, usize)>,
}

impl Headers {
    /// No header fields, no heap memory.
    pub const fn new() -> Self {
        Self {
            names: String::new(),
            values: Vec::new(),
            lengths: Vec::new(),
        }
    }

    /// Adds a field behind the others; one of the same name stays.
    ///
    /// # Errors
    /// [`HeaderError`] if the name is not a token (RFC 9110 §5.6.2), or the value has a control
    /// character other than the tab, or whitespace at an end (RFC 9110 §5.5).
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HeaderError> {
        let value = value.as_ref();
        if !is_token(name) {
            return Err(HeaderError::Name);
        }
        if !is_value(value) {
            return Err(HeaderError::Value {
                name: name.to_owned(),
            });
        }
        self.append_checked(name, value);
        Ok(())
    }

    /// For a name and a value that are known to be valid.
    pub(crate) fn append_checked(&mut self, name: &str, value: &[u8]) {
        self.names.push_str(name);
        self.values.extend_from_slice(value);
        self.lengths.push((name.len(), value.len()));
    }

    pub(crate) fn extend_checked(&mut self, other: &Self) {
        for (name, value) in other {
            self.append_checked(name, value);
        }
    }

    /// The value of the first field of this name, if there is one and it is UTF-8.
    ///
    /// Use [`get_all`](Self::get_all) for a field that may come more than once, or have other bytes.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.get_all(name).next()?;
        core::str::from_utf8(value).ok()
    }

    /// The values of all fields of this name, in order.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Whether there is a field of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get_all(name).next().is_some()
    }

    /// All fields in order.
    pub fn iter(&self) -> HeaderIter<'_> {
        HeaderIter {
            names: &self.names,
            values: &self.values,
            lengths: self.lengths.iter(),
        }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Writes the fields as HTTP/1.1 has them, one a line, and the blank line behind (RFC 9112 §5).
    pub(crate) fn write_to(&self, head: &mut Vec<u8>) {
        for (name, value) in self {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
    }
}

/// RFC 9110 §5.5: no control characters, and no whitespace around, which a recipient would cut off.
fn is_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..))
        && value.trim_ascii().len() == value.len()
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What proves who someone is does not belong into a log.
        let is_secret = |name: &str| {
            let secrets = [
                "Authorization",
                "Proxy-Authorization",
                "Cookie",
                "Set-Cookie",
            ];
            secrets
                .iter()
                .any(|secret| secret.eq_ignore_ascii_case(name))
        };
        f.debug_map()
            .entries(self.iter().map(|(name, value)| match is_secret(name) {
                true => (name, "…".into()),
                false => (name, String::from_utf8_lossy(value)),
            }))
            .finish()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = (&'a str, &'a [u8]);
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> HeaderIter<'a> {
        self.iter()
    }
}

/// The fields of [`Headers`], in order: name and value.
#[derive(Debug, Clone)]
pub struct HeaderIter<'a> {
    names: &'a str,
    values: &'a [u8],
    lengths: core::slice::Iter<'a, (usize, usize)>,
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let &(name_len, value_len) = self.lengths.next()?;
        let (name, names) = self.names.split_at_checked(name_len)?;
        let (value, values) = self.values.split_at_checked(value_len)?;
        self.names = names;
        self.values = values;
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.lengths.size_hint()
    }
}

impl ExactSizeIterator for HeaderIter<'_> {}

/// Why a header field cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is not a token (RFC 9110 §5.6.2).
    Name,
    /// The value has a control character, such as a line end, or whitespace at an end
    /// (RFC 9110 §5.5).
    Value {
        /// The name of the field.
        name: String,
    },
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("a header name is not a token (RFC 9110 §5.6.2)"),
            Self::Value { name } => write!(
                f,
                "the value of the header {name} has a control character or whitespace at an end"
            ),
        }
    }
}

impl Error for HeaderError {}

/// Header fields from wherever they were parsed, to look up by name.
pub(crate) struct Fields<'a>(Vec<(&'a str, &'a [u8])>);

/// More than one field where there may be one.
pub(crate) struct Repeated;

impl<'a> Fields<'a> {
    pub(crate) fn new(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        Self(headers.into_iter().collect())
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|&(_, value)| value)
    }

    pub(crate) fn at_most_one(&self, name: &str) -> Result<Option<&'a [u8]>, Repeated> {
        let mut all = self.all(name);
        let first = all.next();
        match all.next() {
            None => Ok(first),
            Some(_) => Err(Repeated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_spelling() {
        let mut headers = Headers::new();
        headers.append("B", "1").unwrap();
        headers.append("a", b"\xff").unwrap();
        headers.append("b", "").unwrap();
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(all, [("B", &b"1"[..]), ("a", b"\xff"), ("b", b"")]);
        assert_eq!(headers.len(), 3);
        assert_eq!(headers.get("A"), None, "not UTF-8");
        assert!(headers.contains("A"));
        assert_eq!(headers.get_all("b").collect::<Vec<_>>(), [&b"1"[..], b""]);
    }

    #[test]
    fn a_name_that_is_not_a_token_is_refused() {
        for bad in ["", "a b", "a:", "a\r\n", "é", "a\0"] {
            assert_eq!(Headers::new().append(bad, "x"), Err(HeaderError::Name));
        }
    }

    #[test]
    fn a_value_cannot_inject_another_header() {
        for bad in ["a\r\nb: c", "a\n", "a\rb", "\0", "\x7f", " a", "a\t"] {
            let mut headers = Headers::new();
            let error = headers.append("x", bad).unwrap_err();
            assert_eq!(error, HeaderError::Value { name: "x".into() });
            assert!(headers.is_empty());
        }
    }
}
