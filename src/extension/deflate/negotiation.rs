//! Agreeing on parameters, RFC 7692 §5 and §7.1: on extensions as the handshake has parsed them.

use alloc::string::ToString;

use super::NAME;
use super::config::{DeflateConfig, DeflateParams, Direction};
use crate::handshake::Extension;

const SERVER_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// The parameters of an offer or an answer, as they stand there.
#[derive(Debug, Default)]
struct Stated {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// An offer may name it without a value (§7.1.2.2).
    client_max_window_bits: Option<Option<u8>>,
}

impl Stated {
    /// `None` if a parameter is unknown, there twice, or has a value that it must not have (§7.1).
    fn read(extension: &Extension) -> Option<Self> {
        let mut stated = Self::default();
        for (name, value) in extension.params() {
            let is_new = match (name, value) {
                (SERVER_TAKEOVER, None) => {
                    !core::mem::replace(&mut stated.server_no_context_takeover, true)
                }
                (CLIENT_TAKEOVER, None) => {
                    !core::mem::replace(&mut stated.client_no_context_takeover, true)
                }
                (SERVER_BITS, Some(value)) => {
                    let bits = Some(window_bits(value)?);
                    core::mem::replace(&mut stated.server_max_window_bits, bits).is_none()
                }
                (CLIENT_BITS, value) => {
                    let bits = match value {
                        Some(value) => Some(window_bits(value)?),
                        None => None,
                    };
                    stated.client_max_window_bits.replace(bits).is_none()
                }
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(stated)
    }

    fn write(&self) -> Option<Extension> {
        let mut extension = Extension::new(NAME).ok()?;
        if self.server_no_context_takeover {
            extension = extension.flag(SERVER_TAKEOVER).ok()?;
        }
        if self.client_no_context_takeover {
            extension = extension.flag(CLIENT_TAKEOVER).ok()?;
        }
        if let Some(bits) = self.server_max_window_bits {
            extension = extension.param(SERVER_BITS, bits.to_string()).ok()?;
        }
        match self.client_max_window_bits {
            None => {}
            Some(None) => extension = extension.flag(CLIENT_BITS).ok()?,
            Some(Some(bits)) => extension = extension.param(CLIENT_BITS, bits.to_string()).ok()?,
        }
        Some(extension)
    }
}

/// A decimal from 8 to 15 without leading zeros (§7.1.2).
fn window_bits(value: &str) -> Option<u8> {
    match value {
        "8" => Some(8),
        "9" => Some(9),
        "10" => Some(10),
        "11" => Some(11),
        "12" => Some(12),
        "13" => Some(13),
        "14" => Some(14),
        "15" => Some(15),
        _ => None,
    }
}

/// 15 is what holds when nothing is said.
fn unless_full(bits: u8) -> Option<u8> {
    (bits < Direction::FULL.max_window_bits).then_some(bits)
}

impl DeflateConfig {
    /// For handshakes that are not this crate's: the client's offers (RFC 7692 §5.1), the preferred one first: one that limits the server's window, if
    /// that is wished for, and one that does not, for servers that cannot.
    pub fn offers(&self) -> impl Iterator<Item = Extension> {
        let limited = unless_full(self.server.max_window_bits).map(Some);
        limited.into_iter().chain([None]).filter_map(|server_bits| {
            let stated = Stated {
                server_no_context_takeover: !self.server.context_takeover,
                client_no_context_takeover: !self.client.context_takeover,
                server_max_window_bits: server_bits,
                client_max_window_bits: Some(unless_full(self.client.max_window_bits)),
            };
            stated.write()
        })
    }

    /// For handshakes that are not this crate's: the server's answer to the first of the offers that
    /// it can accept (RFC 7692 §5.1, §7.1), and what that agrees on. Other extensions are passed over.
    ///
    /// ```
    /// use sansocket::DeflateConfig;
    /// use sansocket::handshake::Offer;
    ///
    /// let headers: [(&str, &[u8]); 2] = [
    ///     ("sec-websocket-version", b"13"),
    ///     ("sec-websocket-extensions", b"permessage-deflate; client_max_window_bits"),
    /// ];
    /// let offer = Offer::from_headers(headers)?;
    /// let (extension, params) = DeflateConfig::new().accept(offer.extensions()).unwrap();
    /// assert_eq!(extension.to_string(), "permessage-deflate");
    /// assert!(params.server_context_takeover());
    /// # Ok::<(), sansocket::handshake::RequestError>(())
    /// ```
    pub fn accept<'a>(
        &self,
        offers: impl IntoIterator<Item = &'a Extension>,
    ) -> Option<(Extension, DeflateParams)> {
        let mut offers = offers.into_iter().filter(|offer| offer.name() == NAME);
        offers.find_map(|offer| self.accept_one(offer))
    }

    fn accept_one(&self, offer: &Extension) -> Option<(Extension, DeflateParams)> {
        let offer = Stated::read(offer)?;
        let server = Direction {
            max_window_bits: offer
                .server_max_window_bits
                .unwrap_or(Direction::FULL.max_window_bits)
                .min(self.server.max_window_bits),
            context_takeover: self.server.context_takeover && !offer.server_no_context_takeover,
        };
        let client = Direction {
            max_window_bits: match offer.client_max_window_bits {
                Some(bits) => bits
                    .unwrap_or(Direction::FULL.max_window_bits)
                    .min(self.client.max_window_bits),
                // §7.1.2.2: this client could not be told to keep to less.
                None if unless_full(self.client.max_window_bits).is_some() => return None,
                None => Direction::FULL.max_window_bits,
            },
            context_takeover: self.client.context_takeover && !offer.client_no_context_takeover,
        };
        let answer = Stated {
            server_no_context_takeover: !server.context_takeover,
            client_no_context_takeover: !client.context_takeover,
            // §7.1.2.1: what was asked for is confirmed, even 15.
            server_max_window_bits: match offer.server_max_window_bits {
                Some(_) => Some(server.max_window_bits),
                None => unless_full(server.max_window_bits),
            },
            client_max_window_bits: unless_full(client.max_window_bits).map(Some),
        };
        let params = DeflateParams {
            server,
            client,
            effort: self.effort,
        };
        Some((answer.write()?, params))
    }

    /// For handshakes that are not this crate's: the client's check of the server's answer to its
    /// [`offers`](Self::offers); `None` if it is no answer to one.
    pub fn confirm(&self, answer: &Extension) -> Option<DeflateParams> {
        let answer = Stated::read(answer)?;
        // §7.1.1.1: a server that accepts this offer says so.
        if !self.server.context_takeover && !answer.server_no_context_takeover {
            return None;
        }
        // §7.1.2.1: one of the offers leaves it to the server.
        let server_bits = answer
            .server_max_window_bits
            .unwrap_or(Direction::FULL.max_window_bits);
        let client_bits = match answer.client_max_window_bits {
            None => self.client.max_window_bits,
            // §7.1.2.2: an answer has a value, of at most what was offered.
            Some(Some(bits)) if bits <= self.client.max_window_bits => bits,
            Some(_) => return None,
        };
        Some(DeflateParams {
            server: Direction {
                max_window_bits: server_bits,
                context_takeover: !answer.server_no_context_takeover,
            },
            client: Direction {
                max_window_bits: client_bits,
                context_takeover: self.client.context_takeover
                    && !answer.client_no_context_takeover,
            },
            effort: self.effort,
        })
    }

    /// Whether this is the extension's name.
    pub(crate) fn is_meant_by(extension: &Extension) -> bool {
        extension.name() == NAME
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    fn extension(text: &str) -> Extension {
        let mut parts = text.split("; ");
        let extension = Extension::new(parts.next().unwrap()).unwrap();
        parts.fold(extension, |extension, part| match part.split_once('=') {
            Some((name, value)) => extension.param(name, value).unwrap(),
            None => extension.flag(part).unwrap(),
        })
    }

    fn accept(config: DeflateConfig, offers: &[&str]) -> Option<(String, DeflateParams)> {
        let offers: Vec<_> = offers.iter().map(|offer| extension(offer)).collect();
        let (answer, params) = config.accept(&offers)?;
        Some((answer.to_string(), params))
    }

    const FULL: DeflateConfig = DeflateConfig::new();

    #[test]
    fn the_default_offer_is_accepted_as_it_is() {
        let offer = FULL.offers().next().unwrap();
        assert_eq!(FULL.offers().count(), 1);
        assert_eq!(
            offer.to_string(),
            "permessage-deflate; client_max_window_bits"
        );
        let (answer, params) = FULL.accept([&offer]).unwrap();
        assert_eq!(answer.to_string(), "permessage-deflate");
        assert_eq!(params, FULL.into());
        assert_eq!(FULL.confirm(&answer), Some(params));
    }

    #[test]
    fn what_a_client_asks_for_is_kept_to_and_confirmed() {
        let offer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                     server_max_window_bits=10; client_max_window_bits=12";
        let (answer, params) = accept(FULL, &[offer]).unwrap();
        assert_eq!(answer, offer);
        assert!(!params.server_context_takeover() && !params.client_context_takeover());
        assert_eq!(
            (
                params.server_max_window_bits(),
                params.client_max_window_bits()
            ),
            (10, 12)
        );
        // Even what holds anyway.
        let (answer, _) = accept(FULL, &["permessage-deflate; server_max_window_bits=15"]).unwrap();
        assert_eq!(answer, "permessage-deflate; server_max_window_bits=15");
    }

    #[test]
    fn a_server_may_ask_for_less_where_the_client_can_be_told() {
        let config = FULL
            .server_max_window_bits(9)
            .client_max_window_bits(11)
            .server_context_takeover(false)
            .client_context_takeover(false);
        let (answer, _) = accept(config, &["permessage-deflate; client_max_window_bits"]).unwrap();
        assert_eq!(
            answer,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=9; client_max_window_bits=11"
        );
        assert_eq!(accept(config, &["permessage-deflate"]), None);
    }

    #[test]
    fn offers_that_are_malformed_or_unknown_are_passed_over_for_the_next() {
        for bad in [
            "server_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=08",
            "server_max_window_bits=+9",
            "server_max_window_bits=999999999999999999999",
            "client_max_window_bits=7",
            "client_max_window_bits=16",
            "client_max_window_bits; client_max_window_bits",
            "client_max_window_bits; client_max_window_bits=9",
            "server_max_window_bits=9; server_max_window_bits=9",
            "server_no_context_takeover; server_no_context_takeover",
            "client_no_context_takeover; client_no_context_takeover",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "unknown",
            "Server_no_context_takeover",
        ] {
            let bad = alloc::format!("permessage-deflate; {bad}");
            assert_eq!(accept(FULL, &[&bad]), None, "{bad}");
            let fallback = "permessage-deflate; server_no_context_takeover";
            let (answer, _) = accept(FULL, &[&bad, "mux", fallback]).unwrap();
            assert_eq!(answer, fallback);
        }
        assert_eq!(accept(FULL, &["x-webkit-deflate-frame"]), None);
    }

    #[test]
    fn an_answer_that_was_not_offered_is_refused() {
        let asked = FULL
            .server_context_takeover(false)
            .server_max_window_bits(10)
            .client_max_window_bits(10);
        for bad in [
            "permessage-deflate",
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; unknown",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; server_max_window_bits=10",
        ] {
            assert_eq!(asked.confirm(&extension(bad)), None, "{bad}");
        }
        // The second offer leaves the server's window to the server.
        let without = extension("permessage-deflate; server_no_context_takeover");
        assert_eq!(
            asked.confirm(&without).unwrap().server_max_window_bits(),
            15
        );
        let good = "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; \
                    client_no_context_takeover; client_max_window_bits=8";
        let params = asked.confirm(&extension(good)).unwrap();
        assert!(!params.client_context_takeover());
        assert_eq!(
            (
                params.server_max_window_bits(),
                params.client_max_window_bits()
            ),
            (9, 8)
        );
    }

    #[test]
    fn any_two_configurations_that_agree_agree_on_the_same() {
        let bits = [8, 9, 12, 15];
        let configs = |takeover: [bool; 2]| {
            let config = FULL
                .server_context_takeover(takeover[0])
                .client_context_takeover(takeover[1]);
            bits.iter().flat_map(move |&server| {
                bits.map(|client| {
                    config
                        .server_max_window_bits(server)
                        .client_max_window_bits(client)
                })
            })
        };
        let all = || {
            [[true, true], [true, false], [false, true], [false, false]]
                .into_iter()
                .flat_map(configs)
        };
        for client in all() {
            for server in all() {
                for offer in client.offers() {
                    // A client of ours can always be told.
                    let (answer, params) = server.accept([&offer]).unwrap();
                    assert_eq!(client.confirm(&answer), Some(params), "{offer} → {answer}");
                }
            }
        }
    }
}
