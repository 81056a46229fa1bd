//! Where the requests of browsers and of other clients say who asks.
//!
//! Each looks at the request once, from left to right, and copies only what it has to decode.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::server::Request;

/// # Credentials
/// A browser's WebSocket sends cookies, and no header of the page's choice: pages put a token into
/// the query or among the subprotocols. Other clients send `Authorization`. Answer what is missing or
/// wrong with 401 and, as RFC 9110 §11.6.1 asks for, `WWW-Authenticate`.
///
/// Cookies come along whichever page connects: look at the [`origin`](Self::origin) as well.
///
/// ```
/// use sansocket::handshake::{Headers, HttpVersion, Rejection, RequestHead, server::Request};
///
/// let mut headers = Headers::new();
/// headers.append("Host", "example.com")?;
/// headers.append("Upgrade", "websocket")?;
/// headers.append("Connection", "Upgrade")?;
/// headers.append("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")?;
/// headers.append("Sec-WebSocket-Version", "13")?;
/// headers.append("Sec-WebSocket-Protocol", "chat, token.abc")?;
/// headers.append("Cookie", "theme=dark; session=31d4")?;
/// headers.append("Authorization", "Bearer mF_9.B5f")?;
/// let head = RequestHead::new("GET", "/chat?ticket=a%20b", HttpVersion::Http11, headers);
/// let request = Request::from_head(head)?;
///
/// assert_eq!(request.cookie("session"), Some("31d4"));
/// assert_eq!(request.bearer_token(), Some("mF_9.B5f"));
/// assert_eq!(request.query_parameter("ticket").as_deref(), Some("a b"));
/// // Accept another of the subprotocols: the answer is no place for a token.
/// let token = request.subprotocols().find_map(|name| name.strip_prefix("token."));
/// assert_eq!(token, Some("abc"));
///
/// let _rejection = Rejection::new(401).header("WWW-Authenticate", "Bearer");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Request {
    /// The value of the first cookie of this name, as it was sent (RFC 6265 §4.2), but for the quotes
    /// that may be around it. Names compare with regard to case.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers().get_all("Cookie");
        let mut pairs = lines.flat_map(|line| line.split(|&byte| byte == b';'));
        let value = pairs.find_map(|pair| {
            let pair = pair.trim_ascii();
            pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
        })?;
        let unquoted = value
            .strip_prefix(b"\"")
            .and_then(|value| value.strip_suffix(b"\""));
        core::str::from_utf8(unquoted.unwrap_or(value)).ok()
    }

    /// The token of `Authorization: Bearer` (RFC 6750 §2.1), if there is one such header and it has
    /// one.
    pub fn bearer_token(&self) -> Option<&str> {
        let mut fields = self.headers().get_all("Authorization");
        let value = core::str::from_utf8(fields.next()?).ok()?;
        if fields.next().is_some() {
            return None;
        }
        let (scheme, token) = value.split_once(' ')?;
        let token = token.trim_start_matches(' ');
        let is_token = !token.is_empty()
            && token.bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
            });
        (scheme.eq_ignore_ascii_case("Bearer") && is_token).then_some(token)
    }

    /// The value of the first parameter of this name in the query, decoded as those of forms are:
    /// `+` and `%20` are a space. `None` if it is not UTF-8.
    pub fn query_parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = self.query()?.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key)? == name).then_some(value)
        });
        decode(value?)
    }
}

/// Takes back percent-encoding; what is none stays as it is.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(text.into());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match behind.split_first_chunk::<2>() {
                Some((&[high, low], behind)) => match (digit(high), digit(low)) {
                    (Some(high), Some(low)) => {
                        rest = behind;
                        (high << 4) | low
                    }
                    _ => byte,
                },
                None => byte,
            },
            other => other,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| digit.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::super::{Headers, HttpVersion, RequestHead};
    use super::*;

    fn request(target: &str, fields: &[(&str, &str)]) -> Request {
        let mut headers = Headers::new();
        let usual = [
            ("Host", "a"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        for (name, value) in usual.iter().chain(fields) {
            headers.append(name, value).unwrap();
        }
        Request::from_head(RequestHead::new(
            "GET",
            target,
            HttpVersion::Http11,
            headers,
        ))
        .unwrap()
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let cookies = [
            ("Cookie", "xid=0;id2=1; ID=2;  id=three; id=4"),
            ("Cookie", "q=\"quoted\"; empty=; odd; half=\"; b64=YQ=="),
        ];
        let request = request("/", &cookies);
        assert_eq!(request.cookie("id"), Some("three"));
        assert_eq!(request.cookie("q"), Some("quoted"));
        assert_eq!(request.cookie("empty"), Some(""));
        assert_eq!(request.cookie("half"), Some("\""));
        assert_eq!(request.cookie("b64"), Some("YQ=="));
        for missing in ["odd", "i", "d", "", "three"] {
            assert_eq!(request.cookie(missing), None, "{missing}");
        }
    }

    #[test]
    fn a_bearer_token_is_the_whole_of_the_only_authorization() {
        let token = |values: &[&str]| {
            let fields: Vec<_> = values.iter().map(|&v| ("Authorization", v)).collect();
            let request = request("/", &fields);
            request.bearer_token().map(String::from)
        };
        assert_eq!(token(&["Bearer a.b-c=="]).as_deref(), Some("a.b-c=="));
        assert_eq!(token(&["bearer   x"]).as_deref(), Some("x"));
        for bad in ["Bearer", "Basic x", "Bearerx", "Bearer a b", "Bearer é", ""] {
            assert_eq!(token(&[bad]), None, "{bad}");
        }
        assert_eq!(token(&["Bearer a", "Bearer b"]), None);
        assert_eq!(token(&[]), None);
    }

    #[test]
    fn a_query_parameter_is_decoded() {
        let request = request(
            "/?a=1&b+c=%41%2b%C3%a9+&a=2&d&=e&f=%4&g=%zz&h=%FF&h=good&%69=j",
            &[],
        );
        let value = |name| request.query_parameter(name);
        assert_eq!(value("a").as_deref(), Some("1"));
        assert_eq!(value("b c").as_deref(), Some("A+é "));
        assert_eq!(value("d").as_deref(), Some(""));
        assert_eq!(value("").as_deref(), Some("e"));
        assert_eq!(value("f").as_deref(), Some("%4"));
        assert_eq!(value("g").as_deref(), Some("%zz"));
        assert_eq!(value("h"), None, "the first one counts");
        assert_eq!(value("i").as_deref(), Some("j"));
        assert_eq!(value("nothing"), None);
    }
}
