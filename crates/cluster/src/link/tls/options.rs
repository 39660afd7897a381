use std::path::{Path, PathBuf};
use std::time::Duration;

/// The certificate of a node, and the CAs whose certificates its peers must have.
///
/// The certificate's one SAN URI of the scheme `catga` is `catga://{cluster id}/node/{node name}`
/// ([`certificate_name`](super::certificate_name) writes it), and it is good for both ends of a
/// connection. No other name in it counts.
///
/// The files are read again while the node runs, so that certificates and CAs can be replaced. New
/// ones that do not fit together are not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub(super) ca: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) reload_interval: Duration,
    pub(super) link_age_max: Duration,
}

impl Tls {
    /// TLS by the CAs in `ca`, the certificate in `certificate`, with those between it and the CA
    /// after it, and its key in `key`. All are PEM.
    pub fn from_files(
        ca: impl AsRef<Path>,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Self {
        Self {
            ca: ca.as_ref().to_owned(),
            certificate: certificate.as_ref().to_owned(),
            key: key.as_ref().to_owned(),
            reload_interval: Duration::from_secs(10),
            link_age_max: Duration::from_secs(3600),
        }
    }

    /// The same with other files.
    #[must_use]
    pub fn at(
        self,
        ca: impl AsRef<Path>,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Self {
        let Self { reload_interval, link_age_max, .. } = self;
        Self { reload_interval, link_age_max, ..Self::from_files(ca, certificate, key) }
    }

    /// How often the files are read (10 s), at most once in 100 ms.
    #[must_use]
    pub fn reload_interval(mut self, interval: Duration) -> Self {
        self.reload_interval = interval.max(Duration::from_millis(100));
        self
    }

    /// How old a link becomes before it is made anew (1 h), so that a certificate that has expired,
    /// or whose CA is not trusted any more, does not live on in it. At least 1 s.
    #[must_use]
    pub fn link_age_max(mut self, age: Duration) -> Self {
        self.link_age_max = age.max(Duration::from_secs(1));
        self
    }
}
