use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::name::certificate_name;

/// The beginning of the names that say which node somebody is.
const SCHEME: &str = "catga:";

/// Where a name of somebody else's is cut in what is said of it.
const SHOWN_CHARS: usize = 200;

/// Who a peer is by its certificate, which a CA of this node's has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::link) struct Certified(Vec<String>);

impl Certified {
    /// What `certificate` says; as DER that was verified.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let certificate = EndEntityCert::try_from(certificate);
        let certificate = certificate.map_err(|error| format!("it cannot be read: {error}"))?;
        let names = certificate.valid_uri_names().filter(|name| name.starts_with(SCHEME));
        Ok(Self(names.map(ToOwned::to_owned).collect()))
    }

    /// Whether it is the certificate of the node `name` of `cluster`, and of nobody else.
    ///
    /// # Errors
    /// Whom it names instead.
    pub(in crate::link) fn must_name(&self, cluster: &str, name: &str) -> Result<(), String> {
        let expected = certificate_name(cluster, name);
        match &*self.0 {
            [only] if *only == expected => Ok(()),
            [] => Err(format!("it names no node, and not {expected}")),
            others => {
                let others = others.join(" and ").escape_default().to_string();
                let shown: String = others.chars().take(SHOWN_CHARS).collect();
                Err(format!("it names {shown}, and not {expected}"))
            }
        }
    }
}
