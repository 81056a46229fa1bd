//! What the clients of all adapters need to begin TLS: a configuration and the server's name.

use alloc::borrow::ToOwned;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::io;
use std::sync::OnceLock;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use crate::handshake::WsUri;

/// The opening handshake is one of HTTP/1.1, whatever else a configuration may offer by ALPN.
const ALPN: &[u8] = b"http/1.1";

/// The configuration as a WebSocket needs it; the default one if there is none: webpki's roots, and
/// the cryptography that the process has installed, or else ring.
pub(super) fn prepare(config: Option<Arc<ClientConfig>>) -> io::Result<Arc<ClientConfig>> {
    let Some(mut config) = config else {
        return default_config();
    };
    if config.alpn_protocols != [ALPN] {
        // A clone shares the sessions to resume.
        Arc::make_mut(&mut config).alpn_protocols = alpn();
    }
    Ok(config)
}

fn alpn() -> Vec<Vec<u8>> {
    [ALPN.to_owned()].into()
}

/// Made once, so that sessions are resumed.
fn default_config() -> io::Result<Arc<ClientConfig>> {
    static DEFAULT: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = DEFAULT.get() {
        return Ok(config.clone());
    }
    let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let mut config = ClientConfig::builder_with_provider(provider()?)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn();
    Ok(DEFAULT.get_or_init(|| config.into()).clone())
}

fn provider() -> io::Result<Arc<CryptoProvider>> {
    let installed = CryptoProvider::get_default().cloned();
    #[cfg(feature = "rustls")]
    let installed = installed.or_else(|| Some(rustls::crypto::ring::default_provider().into()));
    installed.ok_or_else(|| {
        io::Error::other(
            "no cryptography for TLS: install a rustls CryptoProvider, or enable the feature `rustls`",
        )
    })
}

/// The name or address that the server's certificate has to be for.
pub(super) fn server_name(uri: &WsUri) -> io::Result<ServerName<'static>> {
    let name = ServerName::try_from(uri.host().to_owned());
    name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(not(feature = "rustls"))]
    use alloc::string::ToString;

    fn name(uri: &str) -> io::Result<ServerName<'static>> {
        server_name(&uri.parse().unwrap())
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        let is_name = |uri| matches!(name(uri), Ok(ServerName::DnsName(name)) if name.as_ref() == "example.com");
        assert!(is_name("wss://EXAMPLE.com:444/x"));
        for uri in ["wss://[::1]/", "wss://[2001:DB8::1]:1/", "wss://127.0.0.1/"] {
            assert!(matches!(name(uri), Ok(ServerName::IpAddress(_))), "{uri}");
        }
        let error = name("wss://a%20b/").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[cfg(not(feature = "rustls"))]
    #[test]
    fn without_cryptography_the_error_says_so() {
        let error = prepare(None).unwrap_err().to_string();
        assert!(error.contains("CryptoProvider"), "{error}");
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn a_configuration_offers_http_1_1_and_is_made_once() {
        let default = prepare(None).unwrap();
        assert_eq!(default.alpn_protocols, [ALPN]);
        assert!(Arc::ptr_eq(&default, &prepare(None).unwrap()));
        assert!(Arc::ptr_eq(
            &default,
            &prepare(Some(default.clone())).unwrap()
        ));
        let mut http2 = (*default).clone();
        http2.alpn_protocols = [b"h2".to_vec(), ALPN.to_vec()].into();
        let prepared = prepare(Some(http2.into())).unwrap();
        assert_eq!(prepared.alpn_protocols, [ALPN]);
    }
}
