//! Certificates: whom to trust, what to show, which name to expect.
//!
//! Without an authority of the user's own, the system's and Mozilla's are trusted together, and a
//! system store that is missing or partly unreadable is no error. With one, only that is trusted,
//! and a file without a certificate is refused: it would trust nobody and look like a fault of
//! the server's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use thiserror::Error;

use crate::config::Tls;

/// What is wrong with the certificates that the user gave.
#[derive(Debug, Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read '{path}': {reason}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        reason: std::io::Error,
    },
    /// A file was read and is not what it should be.
    #[error("no usable {wanted} in '{path}'{reason}; it must be PEM")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        wanted: &'static str,
        /// More, with a leading colon, or empty.
        reason: String,
    },
    /// A certificate without its key, or the other way round.
    #[error("a client certificate needs its key: give both '--cert' and '--key'")]
    Half,
    /// The certificate and the key do not go together.
    #[error("the client certificate and its key are refused: {0}; do they belong together?")]
    Pair(rustls::Error),
    /// The name cannot stand in a certificate.
    #[error("'{0}' is not a name that a certificate can carry; give one with '--sni'")]
    Name(String),
    /// Another fault of the library's.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// What a handshake needs: the configuration and the name to expect.
pub type Client = (Arc<ClientConfig>, ServerName<'static>);

/// Reads the files and puts the configuration together; blocking. Called for each dial, so that
/// renewed certificates are picked up, and by the command line to refuse bad files at once.
pub fn client(tls: &Tls, host: &str) -> Result<Client, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(Error::Setup)?;
    let builder = if tls.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
    } else {
        builder.with_root_certificates(roots(tls.ca.as_deref())?)
    };
    let config = match (&tls.cert, &tls.key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(certificates(cert)?, private_key(key)?)
            .map_err(Error::Pair)?,
        _ => return Err(Error::Half),
    };
    let name = tls.sni.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned()).map_err(|_| Error::Name(name.to_owned()))?;
    Ok((Arc::new(config), name))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    if let Some(path) = ca {
        for certificate in certificates(path)? {
            store
                .add(certificate)
                .map_err(|error| unusable(path, "certificate", &error))?;
        }
    } else {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(path, "certificate", &error))?;
    if found.is_empty() {
        return Err(Error::Unusable {
            path: path.to_owned(),
            wanted: "certificate",
            reason: String::new(),
        });
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|error| unusable(path, "private key", &error))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|reason| Error::Unreadable {
        path: path.to_owned(),
        reason,
    })
}

fn unusable(path: &Path, wanted: &'static str, reason: &dyn std::fmt::Display) -> Error {
    Error::Unusable {
        path: path.to_owned(),
        wanted,
        reason: format!(": {reason}"),
    }
}

/// Accepts any certificate; the signatures must still be right. Only for `--insecure`.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
