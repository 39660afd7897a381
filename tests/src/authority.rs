//! A CA, and the files of TLS on a simulated disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use catga::host::{Host, Open};
use catga::{Tls, certificate_name};
use catga_testkit::VirtualHost;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

use crate::machines::{CLUSTER, name};

/// Where the files are on each machine.
const DIR: &str = "/tls";

/// Whoever signs the certificates of nodes.
#[allow(missing_debug_implementations, reason = "its key must not be seen")]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Default for Authority {
    fn default() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a CA"))
    }
}

impl Authority {
    /// Puts a new certificate of the node on machine `number` on its `host`, and `trusted` as the
    /// CAs that it knows.
    pub async fn install(&self, host: &VirtualHost, number: usize, trusted: &[&Self]) {
        let mut params = CertificateParams::default();
        let uri = certificate_name(CLUSTER, &name(number));
        params.subject_alt_names = vec![SanType::URI(uri.try_into().expect("it is ASCII"))];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let cas: String = trusted.iter().map(|ca| ca.0.pem()).collect();
        put(host, "ca.pem", &cas).await;
        put(host, "node.pem", &certificate.pem()).await;
        put(host, "node.key", &key.serialize_pem()).await;
    }

    /// Its certificate, as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its key, as PEM.
    pub fn key_pem(&self) -> String {
        self.0.key().serialize_pem()
    }
}

/// TLS by the files that are on each machine, which are read every second.
pub fn tls() -> Tls {
    let [ca, certificate, key] = ["ca.pem", "node.pem", "node.key"].map(path);
    Tls::from_files(ca, certificate, key).reload_interval(Duration::from_secs(1))
}

/// Where the file is on each machine.
pub fn path(file: &str) -> PathBuf {
    Path::new(DIR).join(file)
}

/// Puts `content` in the place of a file of TLS on `host`.
///
/// # Panics
/// If the disk takes no more.
pub async fn put(host: &VirtualHost, file: &str, content: &str) {
    let files = host.files();
    files.create_dir(Path::new(DIR)).await.expect("a directory");
    let (path, new) = (path(file), path("new"));
    let written = files.open(&new, Open::Create).expect("a file");
    written.write_at(content.as_bytes(), 0).expect("there is room");
    files.rename(&new, &path).expect("in its place");
}
