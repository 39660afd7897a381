use std::sync::Arc;
use std::time::Duration;

use catga_host::Host;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, Error, InconsistentKeys, RootCertStore,
    ServerConfig,
};

use super::Tls;
use super::certified::Certified;
use super::clock::Clock;
use super::files::{Contents, Parts, TlsError};
use super::signed::SignedByOurs;
use super::trouble::of_certificate;

/// What is spoken inside.
pub(super) const ALPN: &[u8] = b"catga/1";

/// What a node needs to be either end of TLS, checked as a whole.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
    /// From when the node's certificate is valid until when, since the Unix epoch.
    pub(super) valid: [Duration; 2],
    /// Of the files.
    pub(super) digest: [u8; 32],
}

/// Whose keys they must be.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) cluster: String,
    pub(super) node: String,
}

impl Keys {
    /// What `contents`, of the files of `tls`, gives to `owner`.
    ///
    /// # Errors
    /// Everything that is wrong with the files, or between them.
    pub(super) fn new(
        host: &Arc<dyn Host>,
        tls: &Tls,
        owner: &Owner,
        contents: Contents,
    ) -> Result<Self, TlsError> {
        let digest = contents.digest();
        let parts = contents.parts(tls)?;
        let one = |fault| TlsError { faults: vec![fault] };
        let roots = Arc::new(roots(&parts, tls).map_err(one)?);
        let provider = Arc::new(provider());
        let names = Certified::of(&parts.chain[0]);
        let named = names.and_then(|names| names.must_name(&owner.cluster, &owner.node));
        let named = named.map_err(|why| of(tls, &why));
        let checker = Checker::new(host, &provider, &roots).map_err(one)?;
        let checked = checker.check(&parts, tls);
        let valid = checker.valid(&parts, tls);
        let Parts { chain, key, .. } = parts;
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(|error| {
            let (key, certificate) = (tls.key.display(), tls.certificate.display());
            match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    format!("the key in {key} does not belong to the certificate in {certificate}")
                }
                error => format!("the key in {key} cannot be used: {error}"),
            }
        });
        match (named, checked, valid, key) {
            (Ok(()), Ok(()), Ok(valid), Ok(key)) => {
                let (client, server) =
                    checker.configs(key).map_err(|error| one(error.to_string()))?;
                Ok(Self { client, server, valid, digest })
            }
            (named, checked, valid, key) => {
                // Of a certificate that is refused, when it ends says nothing more.
                let valid = valid.err().filter(|_| checked.is_ok());
                let faults = [named.err(), checked.err(), valid, key.err()];
                Err(TlsError { faults: faults.into_iter().flatten().collect() })
            }
        }
    }
}

/// What ring has, with the cipher first that costs least where the processor knows AES.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    let first = CipherSuite::TLS13_AES_128_GCM_SHA256;
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != first);
    provider
}

fn of(tls: &Tls, why: &str) -> String {
    format!("the certificate in {} is not this node's: {why}", tls.certificate.display())
}

fn roots(parts: &Parts, tls: &Tls) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (place, ca) in parts.cas.iter().enumerate() {
        roots.add(ca.clone()).map_err(|error| {
            format!("certificate {} in {} is not a CA's: {error}", place + 1, tls.ca.display())
        })?;
    }
    Ok(roots)
}

/// What verifies certificates: of peers, and first of this node itself.
struct Checker {
    clock: Arc<Clock>,
    provider: Arc<CryptoProvider>,
    accepting: Arc<dyn rustls::server::danger::ClientCertVerifier>,
    dialling: Arc<SignedByOurs>,
}

impl Checker {
    fn new(
        host: &Arc<dyn Host>,
        provider: &Arc<CryptoProvider>,
        roots: &Arc<RootCertStore>,
    ) -> Result<Self, String> {
        let accepting =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider));
        let accepting = accepting.build().map_err(|error| error.to_string())?;
        let algorithms = provider.signature_verification_algorithms;
        let dialling = Arc::new(SignedByOurs { roots: Arc::clone(roots), algorithms });
        let clock = Arc::new(Clock(Arc::clone(host)));
        Ok(Self { clock, provider: Arc::clone(provider), accepting, dialling })
    }

    /// Whether peers with the same CAs take this node, whichever end it is.
    fn check(&self, parts: &Parts, tls: &Tls) -> Result<(), String> {
        let now = self.clock.now();
        let (own, between) = (&parts.chain[0], &parts.chain[1..]);
        let dialled = self.dials(parts, now);
        let accepted = self.accepting.verify_client_cert(own, between, now).map(|_| ());
        dialled.and(accepted).map_err(|error| {
            let (certificate, ca) = (tls.certificate.display(), tls.ca.display());
            let why = of_certificate(&error);
            format!(
                "the certificate in {certificate} would be refused by peers that know {ca}: {why}"
            )
        })
    }

    fn dials(&self, parts: &Parts, now: UnixTime) -> Result<(), Error> {
        let (own, between) = (&parts.chain[0], &parts.chain[1..]);
        self.dialling.verify_server_cert(own, between, &nobody(), &[], now).map(|_| ())
    }

    /// When the certificate is valid: as the verifier says of the beginning and the end of time, so
    /// that the parser is the one that peers use.
    fn valid(&self, parts: &Parts, tls: &Tls) -> Result<[Duration; 2], String> {
        let at = |s| self.dials(parts, UnixTime::since_unix_epoch(Duration::from_secs(s)));
        let not_before = match at(0) {
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before,
                ..
            })) => not_before.as_secs(),
            _ => 0,
        };
        match at(u64::MAX) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => Ok([not_before, not_after.as_secs()].map(Duration::from_secs)),
            other => Err(of(tls, &format!("it says of no time that it ends: {other:?}"))),
        }
    }

    fn configs(&self, key: CertifiedKey) -> Result<(Arc<ClientConfig>, Arc<ServerConfig>), Error> {
        let key = Arc::new(SingleCertAndKey::from(key));
        let (provider, clock) = (&self.provider, &self.clock);
        let client = ClientConfig::builder_with_details(provider.clone(), clock.clone());
        let client = client.with_protocol_versions(&[&TLS13])?;
        let client = client.dangerous().with_custom_certificate_verifier(self.dialling.clone());
        let mut client = client.with_client_cert_resolver(key.clone());
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.enable_sni = false;
        // A session that goes on would not look at certificates again, and keep an old one alive.
        client.resumption = Resumption::disabled();
        let server = ServerConfig::builder_with_details(provider.clone(), clock.clone());
        let server = server.with_protocol_versions(&[&TLS13])?;
        let server = server.with_client_cert_verifier(self.accepting.clone());
        let mut server = server.with_cert_resolver(key);
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok((Arc::new(client), Arc::new(server)))
    }
}

/// The name that a server is asked for: none is sent, and none is compared.
pub(super) fn nobody() -> ServerName<'static> {
    ServerName::try_from("node.catga.invalid").expect("it is a DNS name")
}
