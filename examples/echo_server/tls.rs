//! The server's certificate and key. Without the feature `rustls` the options are errors that say so.

use std::error::Error;
use std::net::TcpStream;
use std::path::PathBuf;

/// What the command line says of TLS.
#[derive(Default)]
pub(crate) struct Files {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// The configuration that is made of it.
#[cfg(feature = "rustls")]
pub(crate) type Tls = std::sync::Arc<rustls::ServerConfig>;

#[cfg(not(feature = "rustls"))]
pub(crate) enum Tls {}

impl Files {
    /// Takes an option if it is one of these; gives whether it is.
    pub(crate) fn take(
        &mut self,
        option: &str,
        args: &mut lexopt::Parser,
    ) -> Result<bool, lexopt::Error> {
        match option {
            "cert" => self.cert = Some(args.value()?.into()),
            "key" => self.key = Some(args.value()?.into()),
            _ => return Ok(false),
        }
        if !cfg!(feature = "rustls") {
            return Err(format!("--{option} needs TLS: build with `--features rustls`").into());
        }
        Ok(true)
    }

    /// To be called when all options have been taken.
    pub(crate) fn check(&self) -> Result<(), lexopt::Error> {
        if self.cert.is_some() == self.key.is_some() {
            Ok(())
        } else {
            Err("--cert and --key go together".into())
        }
    }

    /// `None` is a server without TLS.
    pub(crate) fn load(&self) -> Result<Option<Tls>, Box<dyn Error>> {
        match (&self.cert, &self.key) {
            #[cfg(feature = "rustls")]
            (Some(cert), Some(key)) => Ok(Some(load(cert, key)?)),
            _ => Ok(None),
        }
    }
}

#[cfg(feature = "rustls")]
fn load(cert: &std::path::Path, key: &std::path::Path) -> Result<Tls, Box<dyn Error>> {
    use rustls::ServerConfig;
    use rustls::crypto::ring;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| format!("{}: {error}", cert.display()))?;
    let key =
        PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config.into())
}

/// The blocking server's side of TLS on this stream.
#[cfg(feature = "rustls")]
pub(crate) fn wrap(
    tls: &Tls,
    tcp: TcpStream,
) -> Result<impl sansocket::blocking::Transport, rustls::Error> {
    let connection = rustls::ServerConnection::new(tls.clone())?;
    Ok(rustls::StreamOwned::new(connection, tcp))
}

#[cfg(not(feature = "rustls"))]
pub(crate) fn wrap(tls: &Tls, _: TcpStream) -> Result<TcpStream, std::convert::Infallible> {
    match *tls {}
}
