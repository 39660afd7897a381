use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;

use crate::Timestamp;
use crate::enrolment::authority::Authority;
use crate::enrolment::{IssueCertificate, IssuedCertificate, JoinToken};
use crate::host::Disk;

/// The cluster of the nodes.
pub(super) const CLUSTER: &str = "shop";

/// A CA in a directory of its own.
pub(super) struct Ca {
    dir: TempDir,
    pub(super) pem: String,
}

impl Ca {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, "Käse & Söhne");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
        let ca = ca.expect("a CA");
        let this = Self { dir: tempfile::tempdir().expect("a directory"), pem: ca.pem() };
        this.put("ca.pem", &this.pem);
        this.put("ca.key", &ca.key().serialize_pem());
        this
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    pub(super) fn put(&self, file: &str, content: &str) {
        std::fs::write(self.path(file), content).expect("it is written");
    }

    pub(super) fn authority(&self) -> Authority {
        let file = |file| Some(self.path(file));
        let valid_for = Duration::from_secs(1000);
        Authority { ca: file("ca.pem"), key: file("ca.key"), valid_for }
    }

    pub(super) fn token(&self) -> JoinToken {
        JoinToken::make(self.pem.as_bytes()).expect("a token")
    }

    /// Signs without asking for the token.
    pub(super) fn sign(&self, cluster: &str, request: &IssueCertificate) -> IssuedCertificate {
        let signer = self.authority().open(&Disk).expect("it can sign");
        let now = UNIX_EPOCH.elapsed().expect("it is later than 1970").as_millis();
        let now = Timestamp::from_millis(now.try_into().expect("it is not that late"));
        let serial = KeyPair::generate().expect("random").public_key_raw()[1..17].try_into();
        let serial = u128::from_be_bytes(serial.expect("16 bytes"));
        signer.sign(cluster, request, now, serial).expect("it is signed")
    }
}
