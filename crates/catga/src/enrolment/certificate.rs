//! What a certificate must be, at both ends: read by the parser that peers verify it with.

use catga_cluster::certificates_in;
use rcgen::{PKCS_ED25519, PublicKeyData, SignatureAlgorithm};
use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::Base64;

/// The public key of a node.
pub(super) struct NodeKey(pub(super) Base64<32>);

impl PublicKeyData for NodeKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

/// The certificate in a PEM that holds one.
pub(super) fn only_certificate(pem: &[u8]) -> Result<CertificateDer<'static>, String> {
    let mut all = certificates_in(pem, "it")?;
    match (all.pop(), all.len()) {
        (Some(only), 0) => Ok(only),
        (_, others) => Err(format!("it holds {} certificates, and must hold one", others + 1)),
    }
}

/// By what a token knows its CA.
pub(super) fn digest(ca: &CertificateDer<'_>) -> Base64<32> {
    Base64(Sha256::digest(ca).into())
}

/// Whether `certificate` is that of the node `uri` with the key `key`, by `ca`, at that time.
pub(super) fn check(
    ca: &CertificateDer<'_>,
    certificate: &CertificateDer<'_>,
    uri: &str,
    key: &NodeKey,
    at: UnixTime,
) -> Result<(), String> {
    let anchor = [anchor_from_trusted_cert(ca).map_err(|error| format!("its CA: {error}"))?];
    let certificate = EndEntityCert::try_from(certificate);
    let certificate = certificate.map_err(|error| format!("it cannot be read: {error}"))?;
    for usage in [KeyUsage::client_auth(), KeyUsage::server_auth()] {
        let verified = certificate.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchor,
            &[],
            at,
            usage,
            None,
            None,
        );
        verified.map_err(|error| format!("it is not the CA's for a node: {error}"))?;
    }
    if !certificate.valid_uri_names().eq([uri]) {
        return Err(format!("it is not that of {uri}"));
    }
    if certificate.subject_public_key_info().as_ref() != key.subject_public_key_info() {
        return Err("it is of another key".to_owned());
    }
    Ok(())
}
