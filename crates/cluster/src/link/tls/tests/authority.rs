//! CAs, what they sign, and nodes that have it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catga_core::NodeName;
use catga_host::{Deadlines, Files, Host, Open};
use catga_testkit::VirtualHost;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};

use super::super::{Credentials, Tls, TlsError, certificate_name};
use crate::link::LinkOptions;
use crate::link::ground::Ground;
use crate::link::tests::{Machine, Net, options};

/// The cluster of the nodes.
pub(super) const CLUSTER: &str = "shop";

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::called("a CA")
    }

    /// A CA of this name: others may have the same.
    pub(super) fn called(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a CA"))
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// The certificate of the node `name`.
    pub(super) fn issue(&self, name: &str) -> Issued {
        self.issue_as(&[&certificate_name(CLUSTER, name)], None)
    }

    /// A certificate with these URIs in it, which ends so long after 1970.
    pub(super) fn issue_as(&self, uris: &[&str], not_after: Option<Duration>) -> Issued {
        let mut params = CertificateParams::default();
        let uri = |uri: &&str| SanType::URI((*uri).try_into().expect("it is ASCII"));
        params.subject_alt_names = uris.iter().map(uri).collect();
        if let Some(not_after) = not_after {
            params.not_after = date_time_ymd(1970, 1, 1) + not_after;
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// Where the files are on the disks of these tests.
pub(super) fn tls() -> Tls {
    Tls::from_files("/tls/ca.pem", "/tls/node.pem", "/tls/node.key")
        .reload_interval(Duration::from_secs(1))
        .link_age_max(Duration::from_secs(20))
}

/// Puts `content` in the place of a file.
pub(super) async fn put(files: &dyn Files, path: &str, content: &str) {
    files.create_dir(Path::new("/tls")).await.expect("a directory");
    let path = Path::new(path);
    // There may be none.
    let _ = files.remove(path);
    let file = files.open(path, Open::Create).expect("a file");
    file.write_at(content.as_bytes(), 0).expect("there is room");
}

/// Puts all three in place.
pub(super) async fn put_all(files: &dyn Files, cas: &[&Authority], issued: &Issued) {
    let cas: String = cas.iter().map(|ca| ca.pem()).collect();
    put(files, "/tls/ca.pem", &cas).await;
    put(files, "/tls/node.pem", &issued.certificate).await;
    put(files, "/tls/node.key", &issued.key).await;
}

/// What `issued` makes of the node called `name` in `cluster`.
pub(super) async fn credentials(
    own: &Arc<VirtualHost>,
    cas: &[&Authority],
    issued: &Issued,
    (cluster, name): (&str, &str),
) -> Result<Arc<Credentials>, TlsError> {
    put_all(&*own.files(), cas, issued).await;
    Credentials::load(Arc::clone(own) as Arc<dyn Host>, tls(), cluster, &NodeName::new(name))
}

/// What node `id` stands on, with a certificate that `ca` gave it.
pub(super) async fn ground(id: u64, cas: &[&Authority], ca: &Authority) -> Ground {
    let name = format!("n{id}");
    ground_as(id, cas, &ca.issue(&name), (CLUSTER, &name)).await
}

/// What node `id` stands on, with a certificate that makes it another, perhaps.
pub(super) async fn ground_as(
    id: u64,
    cas: &[&Authority],
    issued: &Issued,
    who: (&str, &str),
) -> Ground {
    let own = VirtualHost::new(id);
    let credentials = credentials(&own, cas, issued, who).await.expect("they fit together");
    on(own, options(id).with_tls(credentials))
}

/// What a node with `options` stands on, on a machine of its own.
pub(super) fn on(own: Arc<VirtualHost>, options: LinkOptions) -> Ground {
    let host: Arc<dyn Host> = Arc::new(Machine { own, net: Net::default() });
    let deadlines = Deadlines::new(Arc::clone(&host));
    Ground { application: Arc::clone(&host), host, options, deadlines }
}
