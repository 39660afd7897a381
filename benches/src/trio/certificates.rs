//! A CA and a certificate for each node, good for one run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use catga::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

use super::{NODES, name, node::CLUSTER};

/// Makes them in `dir`.
pub(super) fn make(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    fs::write(dir.join("ca.pem"), ca.pem())?;
    for number in 0..NODES {
        let mut params = CertificateParams::default();
        let uri = catga::certificate_name(CLUSTER, &name(number));
        params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
        let key = KeyPair::generate()?;
        let [certificate_file, key_file] = files(dir, number);
        fs::write(certificate_file, params.signed_by(&key, &ca)?.pem())?;
        fs::write(key_file, key.serialize_pem())?;
    }
    Ok(())
}

/// Those of a node.
pub(super) fn of(dir: &Path, number: usize) -> Tls {
    let [certificate, key] = files(dir, number);
    Tls::from_files(dir.join("ca.pem"), certificate, key)
}

fn files(dir: &Path, number: usize) -> [PathBuf; 2] {
    ["pem", "key"].map(|ending| dir.join(format!("{}.{ending}", name(number))))
}
