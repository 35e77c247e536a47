//! Certificates that live as long as a test.

#![allow(unreachable_pub, reason = "compiled into several tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// An authority of our own and one certificate by it, as files.
pub struct Certs {
    folder: tempfile::TempDir,
    authority: Arc<CertifiedIssuer<'static, KeyPair>>,
}

impl Certs {
    /// A certificate for `names` (host names or addresses).
    pub fn new(names: &[&str]) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        // Another name than the leaf's: OpenSSL takes a certificate by its own name for self-signed.
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "an authority of our own");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        Self::by(Arc::new(authority), names)
    }

    /// Another certificate by the same authority.
    #[allow(
        dead_code,
        reason = "compiled into several tests, and not all need two"
    )]
    pub fn beside(&self, names: &[&str]) -> Self {
        Self::by(Arc::clone(&self.authority), names)
    }

    fn by(authority: Arc<CertifiedIssuer<'static, KeyPair>>, names: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for certificates");
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(names)
            .and_then(|params| params.signed_by(&key, &**authority))
            .expect("a certificate");
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).expect("a file");
        };
        write("ca.pem", authority.pem());
        write("cert.pem", leaf.pem());
        write("key.pem", key.serialize_pem());
        write("empty.pem", "no certificate here\n".to_owned());
        Self { folder, authority }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Arguments that make a `redis-server` speak TLS only, with this certificate.
    pub fn server_args(&self, clients: &str) -> Vec<String> {
        let path = |name: &str| Path::to_string_lossy(&self.file(name)).into_owned();
        [
            "--tls-port",
            "{port}",
            "--tls-cert-file",
            &path("cert.pem"),
            "--tls-key-file",
            &path("key.pem"),
            "--tls-ca-cert-file",
            &path("ca.pem"),
            "--tls-auth-clients",
            clients,
        ]
        .map(str::to_owned)
        .to_vec()
    }
}
