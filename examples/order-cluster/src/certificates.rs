//! Certificates for trying TLS out: a CA that nobody else knows, and one for each node.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use catga::Tls;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

/// The cluster that they are for.
pub const CLUSTER: &str = "order-cluster";

/// The file with the certificate of the CA.
pub const CA: &str = "ca.pem";

/// The file with its key, where it is kept.
pub const CA_KEY: &str = "ca.key";

/// How long before now they begin, since clocks differ.
const BEFORE: Duration = Duration::from_secs(3600);

/// Why no certificates were made.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// A file could not be written: it may be there already.
    #[error("{} cannot be written: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// No key or certificate could be made.
    #[error("no certificate could be made: {0}")]
    Made(#[from] rcgen::Error),
}

/// Makes a CA and a certificate for each of `nodes` in `dir`, all valid for `valid`: to try TLS out,
/// and for nothing else. The CA's own key is forgotten, so that nobody signs with it later, unless
/// it is kept: then nodes can be let in by a token.
///
/// # Errors
/// When a file cannot be written, or is there already.
pub fn make<N: AsRef<str>>(
    dir: &Path,
    nodes: impl IntoIterator<Item = N>,
    valid: Duration,
    keeps_ca_key: bool,
) -> Result<(), CertificatesError> {
    fs::create_dir_all(dir)
        .map_err(|source| CertificatesError::File { path: dir.to_owned(), source })?;
    let mut params = lasting(valid);
    params.distinguished_name.push(DnType::CommonName, "order-cluster, to try it out");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    write(dir.join(CA), &ca.pem(), 0o644)?;
    if keeps_ca_key {
        write(dir.join(CA_KEY), &ca.key().serialize_pem(), 0o600)?;
    }
    for node in nodes {
        let node = node.as_ref();
        let mut params = lasting(valid);
        let name = catga::certificate_name(CLUSTER, node);
        params.subject_alt_names = vec![SanType::URI(name.try_into()?)];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &ca)?;
        write(dir.join(format!("{node}.pem")), &certificate.pem(), 0o644)?;
        write(dir.join(format!("{node}.key")), &key.serialize_pem(), 0o600)?;
    }
    Ok(())
}

/// Those of the node called `node` in `dir`, as [`make`] leaves them.
pub fn of(dir: &Path, node: &str) -> Tls {
    let file = |ending| dir.join(format!("{node}.{ending}"));
    Tls::from_files(dir.join(CA), file("pem"), file("key"))
}

fn lasting(valid: Duration) -> CertificateParams {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(BEFORE);
    params.not_after = date_time_ymd(1970, 1, 1) + now + valid;
    params
}

/// Writes a file that is not there yet, for its owner alone or for all.
///
/// # Errors
/// When it is there, or cannot be written.
pub fn write(path: PathBuf, pem: &str, mode: u32) -> Result<(), CertificatesError> {
    // Never in the place of another: that may be all that somebody has.
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
    let written = opened.and_then(|mut file| file.write_all(pem.as_bytes()));
    written.map_err(|source| CertificatesError::File { path, source })
}
