use std::fmt;

use catga_host::Files;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use super::Tls;
use super::pem::{certificates_in, read_pem};

/// Why the files of [`Tls`] cannot be used: everything that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// One sentence for each fault, which names the file.
    pub faults: Vec<String>,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS between peers cannot be used: {}", self.faults.join("; "))
    }
}

impl std::error::Error for TlsError {}

/// What the files hold, byte by byte.
pub(super) struct Contents {
    ca: Result<Vec<u8>, String>,
    certificate: Result<Vec<u8>, String>,
    key: Result<Vec<u8>, String>,
}

/// What the files say, each by itself.
pub(super) struct Parts {
    pub(super) cas: Vec<CertificateDer<'static>>,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Contents {
    /// Reads the files of `tls`.
    pub(super) fn read(files: &dyn Files, tls: &Tls) -> Self {
        Self {
            ca: read_pem(files, &tls.ca),
            certificate: read_pem(files, &tls.certificate),
            key: read_pem(files, &tls.key),
        }
    }

    /// The same for the same contents, and for the same reasons why there are none.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for content in [&self.ca, &self.certificate, &self.key] {
            let (is_there, bytes) = match content {
                Ok(bytes) => (1, bytes.as_slice()),
                Err(why) => (0, why.as_bytes()),
            };
            digest.update([is_there]);
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        }
        digest.finalize().into()
    }

    /// What they say.
    ///
    /// # Errors
    /// Each file that is missing or is not what it should be.
    pub(super) fn parts(self, tls: &Tls) -> Result<Parts, TlsError> {
        let cas = self.ca.and_then(|pem| certificates_in(&pem, tls.ca.display()));
        let chain = self.certificate;
        let chain = chain.and_then(|pem| certificates_in(&pem, tls.certificate.display()));
        let key = self.key.and_then(|pem| {
            // What the parser says quotes the file.
            let why = "holds no private key as PEM, or one that is protected by a password";
            PrivateKeyDer::from_pem_slice(&pem).map_err(|_| format!("{} {why}", tls.key.display()))
        });
        match (cas, chain, key) {
            (Ok(cas), Ok(chain), Ok(key)) => Ok(Parts { cas, chain, key }),
            (cas, chain, key) => {
                let faults = [cas.err(), chain.err(), key.err()];
                Err(TlsError { faults: faults.into_iter().flatten().collect() })
            }
        }
    }
}
