use std::path::PathBuf;
use std::time::Duration;

use catga_cluster::{certificates_in, read_pem};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair,
    PublicKeyData, SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::EndEntityCert;

use super::certificate::{NodeKey, check};
use super::{IssueCertificate, IssuedCertificate};
use crate::host::Files;
use crate::{Timestamp, certificate_name};

/// How long before now a certificate begins, since clocks differ.
const BEFORE: Duration = Duration::from_secs(3600);

/// Longer than this nobody means, and no date can say it.
const VALID_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long the name of a subject may be; it is for people alone.
const SUBJECT_CHARS: usize = 64;

/// Where the CA is that signs the certificates of nodes, if this node may.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    pub(super) ca: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) valid_for: Duration,
}

/// The CA, ready to sign. What is read from the files lives no longer than one request.
pub(super) struct Signer {
    ca: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    valid_for: Duration,
}

impl Authority {
    /// Reads the files.
    ///
    /// # Errors
    /// What is missing, or does not fit together.
    pub(super) fn open(&self, files: &dyn Files) -> Result<Signer, String> {
        let is_not_set = |what: &str| format!("{what} is not set here: ask a node where it is");
        let key = self.key.as_ref().ok_or_else(|| is_not_set("CLUSTER_TLS_CA_KEY"))?;
        let ca = self.ca.as_ref().ok_or_else(|| is_not_set("CLUSTER_TLS_CA"))?;
        let pem = String::from_utf8(read_pem(files, key)?).unwrap_or_default();
        // What the parser says quotes the file.
        let pair = KeyPair::from_pem(&pem)
            .map_err(|_| format!("{} holds no private key as PEM of PKCS #8", key.display()))?;
        let cas = certificates_in(&read_pem(files, ca)?, ca.display())?;
        // While CAs are replaced there are two.
        let spki = pair.subject_public_key_info();
        let subject = |ca: &CertificateDer<'_>| {
            let ca = EndEntityCert::try_from(ca).ok()?;
            (ca.subject_public_key_info().as_ref() == spki).then(|| ca.subject().to_vec())
        };
        let found = cas.iter().find_map(|ca| Some((ca.clone(), subject(ca)?)));
        let (ca, subject) = found.ok_or_else(|| {
            let (ca, key) = (ca.display(), key.display());
            format!("the key in {key} belongs to no certificate in {ca}")
        })?;
        let mut params = CertificateParams::default();
        params.distinguished_name = super::ca_name::read(&subject)?;
        Ok(Signer { ca, issuer: Issuer::new(params, pair), valid_for: self.valid_for })
    }
}

impl Signer {
    /// Signs a certificate of `cluster` for whoever asks for it, from a while before `issued_at` on.
    /// `serial` is drawn at random for each.
    ///
    /// # Errors
    /// Why it cannot: nothing is handed out that a peer would refuse.
    pub(super) fn sign(
        &self,
        cluster: &str,
        request: &IssueCertificate,
        issued_at: Timestamp,
        serial: u128,
    ) -> Result<IssuedCertificate, String> {
        let now = Duration::from_millis(issued_at.as_millis());
        let not_after = now + self.valid_for.min(VALID_MAX);
        let uri = certificate_name(cluster, &request.name);
        let key = NodeKey(request.node_key);
        let params = params(&request.name, &uri, [now.saturating_sub(BEFORE), not_after], serial);
        let made = params.and_then(|params| params.signed_by(&key, &self.issuer));
        let made = made.map_err(|error| format!("no certificate could be made: {error}"))?;
        check(&self.ca, made.der(), &uri, &key, UnixTime::since_unix_epoch(now))
            .map_err(|why| format!("the certificate that was made is refused: {why}"))?;
        let millis = u64::try_from(not_after.as_millis()).unwrap_or(u64::MAX);
        Ok(IssuedCertificate {
            ca: pem(&self.ca),
            certificate: made.pem(),
            issued_at,
            expires_at: Timestamp::from_millis(millis),
        })
    }
}

/// What is signed.
fn params(
    name: &str,
    uri: &str,
    [not_before, not_after]: [Duration; 2],
    serial: u128,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(1970, 1, 1) + not_before;
    params.not_after = date_time_ymd(1970, 1, 1) + not_after;
    params.distinguished_name = DistinguishedName::new();
    let subject: String = name.chars().take(SUBJECT_CHARS).collect();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.serial_number = Some(serial.to_be_bytes().to_vec().into());
    Ok(params)
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine;

    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
