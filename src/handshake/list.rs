//! The one tokenizer for list headers: RFC 9110 §5.6 and the extension grammar of RFC 6455 §9.1.
//!
//! It walks each value once, from left to right, and never backs up: the time is linear in the bytes.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use super::extension::Extension;

/// How many elements, and how many parameters, the lines of one list header may have together.
///
/// It bounds the memory: an element of two bytes on the wire costs some tens of bytes parsed.
pub(crate) const MAX_ELEMENTS: usize = 128;

/// Why the value of a list header, such as `Sec-WebSocket-Extensions`, cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListError {
    /// The header is there and has no element: its grammar asks for at least one.
    Empty,
    /// A token was expected and something else found, or a token ends in a character that it may
    /// not have (RFC 9110 §5.6.2).
    Token,
    /// A quoted string has no closing quote, or a character that may not be quoted (RFC 9110 §5.6.4).
    QuotedString,
    /// A quoted parameter value is not a token once unquoted (RFC 6455 §9.1).
    QuotedNotToken,
    /// More than 128 elements, or more than 128 parameters.
    TooMany,
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the list has no element",
            Self::Token => "a token was expected (RFC 9110 §5.6.2)",
            Self::QuotedString => "a quoted string is malformed or not closed",
            Self::QuotedNotToken => "a quoted value is not a token once unquoted (RFC 6455 §9.1)",
            Self::TooMany => "the list has more than 128 elements or parameters",
        })
    }
}

impl Error for ListError {}

/// RFC 9110 §5.6.2: the characters of a token.
pub(crate) const fn is_tchar(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
        | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// Whether `text` is a token: at least one character, and all of them token characters.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_tchar)
}

/// The tokens of a list header, across its repeated lines: `Connection`, `Sec-WebSocket-Protocol`.
pub(crate) fn tokens<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<&'a str>, ListError> {
    elements(values, |scanner| scanner.token())
}

/// The elements of `Upgrade`: a protocol name, and a version if it has one (RFC 9110 §7.8).
pub(crate) fn protocols<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<(&'a str, Option<&'a str>)>, ListError> {
    elements(values, |scanner| {
        let name = scanner.token()?;
        let version = scanner.eat(b'/').then(|| scanner.token()).transpose()?;
        Ok((name, version))
    })
}

/// The elements of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
pub(crate) fn extensions<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<Extension>, ListError> {
    let mut budget = MAX_ELEMENTS;
    elements(values, |scanner| {
        let name = scanner.token()?.to_owned();
        let mut params = Vec::new();
        while scanner.eat_spaced(b';') {
            budget = budget.checked_sub(1).ok_or(ListError::TooMany)?;
            let param = scanner.token()?.to_owned();
            // HTTP has no space around the `=` of a parameter (RFC 9110 §5.6.6).
            let value = scanner.eat(b'=').then(|| scanner.value()).transpose()?;
            params.push((param, value));
        }
        Ok(Extension::from_parts(name, params))
    })
}

/// Runs `element` on each element of each value; an absent header gives an empty list.
fn elements<'a, T>(
    values: impl IntoIterator<Item = &'a [u8]>,
    mut element: impl FnMut(&mut Scanner<'a>) -> Result<T, ListError>,
) -> Result<Vec<T>, ListError> {
    let mut list = Vec::new();
    let mut present = false;
    for value in values {
        present = true;
        let mut scanner = Scanner { rest: value };
        while scanner.next_element() {
            if list.len() == MAX_ELEMENTS {
                return Err(ListError::TooMany);
            }
            list.push(element(&mut scanner)?);
            scanner.end_element()?;
        }
    }
    if present && list.is_empty() {
        return Err(ListError::Empty);
    }
    Ok(list)
}

/// What is left of one header value.
struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    /// Skips the bytes that satisfy `skip`, and returns them.
    fn take_while(&mut self, skip: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self
            .rest
            .iter()
            .position(|&byte| !skip(byte))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or_default();
        self.rest = rest;
        taken
    }

    fn skip_whitespace(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Eats `byte` and the optional whitespace on both sides of it.
    fn eat_spaced(&mut self, byte: u8) -> bool {
        self.skip_whitespace();
        let found = self.eat(byte);
        if found {
            self.skip_whitespace();
        }
        found
    }

    /// RFC 9110 §5.6.1.2: a recipient ignores empty elements.
    fn next_element(&mut self) -> bool {
        self.take_while(|byte| matches!(byte, b' ' | b'\t' | b','));
        !self.rest.is_empty()
    }

    /// An element ends at a comma or with the value.
    fn end_element(&mut self) -> Result<(), ListError> {
        if self.eat_spaced(b',') || self.rest.is_empty() {
            Ok(())
        } else {
            Err(ListError::Token)
        }
    }

    fn token(&mut self) -> Result<&'a str, ListError> {
        match core::str::from_utf8(self.take_while(is_tchar)) {
            Ok(token) if !token.is_empty() => Ok(token),
            _ => Err(ListError::Token),
        }
    }

    /// A parameter value: a token, or a quoted string that is one once unquoted (RFC 6455 §9.1).
    fn value(&mut self) -> Result<String, ListError> {
        if !self.eat(b'"') {
            return self.token().map(ToOwned::to_owned);
        }
        let mut text = String::new();
        let mut only_token_characters = true;
        loop {
            let mut byte = self.next().ok_or(ListError::QuotedString)?;
            if byte == b'"' {
                break;
            }
            if byte == b'\\' {
                byte = self.next().ok_or(ListError::QuotedString)?;
            }
            if !matches!(byte, b'\t' | b' '..=b'~' | 0x80..) {
                return Err(ListError::QuotedString);
            }
            only_token_characters &= is_tchar(byte);
            if only_token_characters {
                text.push(char::from(byte));
            }
        }
        if only_token_characters && !text.is_empty() {
            Ok(text)
        } else {
            Err(ListError::QuotedNotToken)
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn one(value: &str) -> Result<Vec<&str>, ListError> {
        tokens([value.as_bytes()])
    }

    fn shown(value: &str) -> Result<String, ListError> {
        let list = extensions([value.as_bytes()])?;
        Ok(list
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "))
    }

    #[test]
    fn tokens_are_separated_by_commas_and_optional_whitespace() {
        assert_eq!(
            one("keep-alive , \tUpgrade,x"),
            Ok(vec!["keep-alive", "Upgrade", "x"])
        );
    }

    #[test]
    fn empty_elements_are_ignored() {
        assert_eq!(one(", a,, ,b ,"), Ok(vec!["a", "b"]));
    }

    #[test]
    fn a_list_goes_on_across_repeated_lines() {
        let lines: [&[u8]; 3] = [b"a, b", b"", b"c"];
        assert_eq!(tokens(lines), Ok(vec!["a", "b", "c"]));
    }

    #[test]
    fn a_present_list_without_elements_is_an_error_and_an_absent_one_is_empty() {
        assert_eq!(one(""), Err(ListError::Empty));
        assert_eq!(one(" , ,"), Err(ListError::Empty));
        assert_eq!(tokens([]), Ok(vec![]));
    }

    #[test]
    fn what_is_not_a_token_is_refused() {
        for bad in ["a b", "\"a\"", "a;b", "a/b", "é", "a=b", "a\0", "(x)"] {
            assert_eq!(one(bad), Err(ListError::Token), "{bad:?}");
        }
    }

    #[test]
    fn an_upgrade_element_may_have_a_version() {
        let value: &[u8] = b"h2c, TLS/1.0, websocket";
        let expected = vec![("h2c", None), ("TLS", Some("1.0")), ("websocket", None)];
        assert_eq!(protocols([value]), Ok(expected));
        assert_eq!(protocols([&b"a/"[..]]), Err(ListError::Token));
    }

    #[test]
    fn extensions_have_parameters_with_and_without_values() {
        let value = "permessage-deflate ; client_max_window_bits;\tserver_max_window_bits=10, mux";
        assert_eq!(
            shown(value).unwrap(),
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10, mux"
        );
    }

    #[test]
    fn a_quoted_parameter_value_is_unescaped() {
        assert_eq!(shown(r#"a;b="1\0", c; d="x""#).unwrap(), "a; b=10, c; d=x");
    }

    #[test]
    fn a_quoted_value_that_is_no_token_once_unescaped_is_refused() {
        for bad in [
            r#"a;b="""#,
            r#"a;b="x y""#,
            r#"a;b="\"""#,
            r#"a;b="x,y""#,
            r#"a;b="é""#,
        ] {
            assert_eq!(shown(bad), Err(ListError::QuotedNotToken), "{bad}");
        }
    }

    #[test]
    fn a_quoted_string_must_be_closed_and_free_of_controls() {
        for bad in [r#"a;b="x"#, r#"a;b="x\"#, "a;b=\"\x01\"", "a;b=\"\\\x7f\""] {
            assert_eq!(shown(bad), Err(ListError::QuotedString), "{bad:?}");
        }
    }

    #[test]
    fn a_parameter_needs_a_name_and_after_an_equals_sign_a_value() {
        for bad in [
            "a;",
            "a; ;b",
            "a;b=",
            "a;=c",
            "a;b =c",
            "a;b= c",
            ";a",
            "a;b=\"c\"d",
        ] {
            assert_eq!(shown(bad), Err(ListError::Token), "{bad:?}");
        }
    }

    #[test]
    fn the_number_of_elements_and_parameters_is_capped() {
        assert_eq!(one(&"a,".repeat(MAX_ELEMENTS)).unwrap().len(), MAX_ELEMENTS);
        assert_eq!(one(&"a,".repeat(MAX_ELEMENTS + 1)), Err(ListError::TooMany));
        assert!(shown(&alloc::format!("a{}", ";b".repeat(MAX_ELEMENTS))).is_ok());
        assert_eq!(
            shown(&alloc::format!("a{}", ";b".repeat(MAX_ELEMENTS + 1))),
            Err(ListError::TooMany)
        );
    }
}
