//! The options for compression that the examples share. Without the feature `deflate` they are
//! taken and say nothing, so that the same commands work.

use sansocket::handshake::client::Request;
use sansocket::handshake::server::Acceptance;

#[cfg(feature = "deflate")]
use sansocket::DeflateConfig;

/// What the command line says of compression.
#[derive(Clone)]
pub(crate) struct Compression {
    #[cfg(feature = "deflate")]
    config: Option<DeflateConfig>,
}

impl Compression {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(feature = "deflate")]
            config: Some(DeflateConfig::new()),
        }
    }

    /// Takes an option if it is one of these; gives whether it is.
    pub(crate) fn take(
        &mut self,
        option: &str,
        args: &mut lexopt::Parser,
    ) -> Result<bool, lexopt::Error> {
        use lexopt::prelude::*;

        let bits: u8 = match option {
            "no-deflate" | "server-no-context-takeover" | "client-no-context-takeover" => 0,
            "server-max-window-bits" | "client-max-window-bits" => {
                let bits = args.value()?.parse()?;
                if !(8..=15).contains(&bits) {
                    return Err("window bits are 8 to 15".into());
                }
                bits
            }
            _ => return Ok(false),
        };
        self.set(option, bits);
        Ok(true)
    }

    #[cfg(feature = "deflate")]
    fn set(&mut self, option: &str, bits: u8) {
        self.config = self.config.and_then(|config| match option {
            "server-no-context-takeover" => Some(config.server_context_takeover(false)),
            "client-no-context-takeover" => Some(config.client_context_takeover(false)),
            "server-max-window-bits" => Some(config.server_max_window_bits(bits)),
            "client-max-window-bits" => Some(config.client_max_window_bits(bits)),
            _ => None,
        });
    }

    #[cfg(not(feature = "deflate"))]
    fn set(&mut self, _: &str, _: u8) {}

    /// The request, with the offer.
    #[allow(dead_code)] // by the server
    pub(crate) fn offer(&self, request: Request) -> Request {
        #[cfg(feature = "deflate")]
        if let Some(config) = self.config {
            return request.deflate(config);
        }
        request
    }

    /// The acceptance, with compression if it was offered.
    #[allow(dead_code)] // by the clients
    pub(crate) fn accept(&self, acceptance: Acceptance) -> Acceptance {
        #[cfg(feature = "deflate")]
        if let Some(config) = self.config {
            return acceptance.deflate(config);
        }
        acceptance
    }
}
