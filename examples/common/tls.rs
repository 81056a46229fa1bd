//! The client's options for TLS. Without the feature `rustls` they are errors that say so.

use std::error::Error;
use std::path::PathBuf;

use sansocket::blocking::Connector;

/// Whom the client trusts: webpki's roots unless the command line says otherwise.
#[derive(Clone, Default)]
pub(crate) struct Trust {
    ca: Option<PathBuf>,
    insecure: bool,
}

impl Trust {
    /// Takes an option if it is one of these; gives whether it is.
    pub(crate) fn take(
        &mut self,
        option: &str,
        args: &mut lexopt::Parser,
    ) -> Result<bool, lexopt::Error> {
        match option {
            "ca" => self.ca = Some(args.value()?.into()),
            "insecure" => self.insecure = true,
            _ => return Ok(false),
        }
        if !cfg!(feature = "rustls") {
            return Err(format!("--{option} needs TLS: build with `--features rustls`").into());
        }
        if self.insecure && self.ca.is_some() {
            return Err("either --ca or --insecure".into());
        }
        Ok(true)
    }

    #[cfg(not(feature = "rustls"))]
    pub(crate) fn apply(&self, connector: Connector) -> Result<Connector, Box<dyn Error>> {
        Ok(connector)
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn apply(&self, connector: Connector) -> Result<Connector, Box<dyn Error>> {
        Ok(match self.config()? {
            Some(config) => connector.tls_config(config),
            None => connector,
        })
    }

    /// `None` is the default configuration.
    #[cfg(feature = "rustls")]
    pub(crate) fn config(
        &self,
    ) -> Result<Option<std::sync::Arc<rustls::ClientConfig>>, Box<dyn Error>> {
        use std::sync::Arc;

        use rustls::crypto::ring;
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        use rustls::{ClientConfig, RootCertStore};

        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let builder = if self.insecure {
            eprintln!("warning: --insecure: whoever answers is taken for the server");
            let anyone = Arc::new(insecure::Anyone(provider));
            builder.dangerous().with_custom_certificate_verifier(anyone)
        } else if let Some(path) = &self.ca {
            let mut roots = RootCertStore::empty();
            let failed = |error| format!("{}: {error}", path.display());
            for cert in CertificateDer::pem_file_iter(path).map_err(failed)? {
                roots.add(cert.map_err(failed)?)?;
            }
            if roots.is_empty() {
                return Err(format!("{}: no certificate in it", path.display()).into());
            }
            builder.with_root_certificates(roots)
        } else {
            return Ok(None);
        };
        Ok(Some(builder.with_no_client_auth().into()))
    }
}

#[cfg(feature = "rustls")]
mod insecure {
    use std::sync::Arc;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    /// Accepts any certificate, whose key the server has at least.
    #[derive(Debug)]
    pub(super) struct Anyone(pub(super) Arc<CryptoProvider>);

    impl ServerCertVerifier for Anyone {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.0.signature_verification_algorithms;
            verify_tls12_signature(message, cert, signature, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.0.signature_verification_algorithms;
            verify_tls13_signature(message, cert, signature, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}
