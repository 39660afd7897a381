use std::fmt;
use std::time::Duration;

use rcgen::{KeyPair, PKCS_ED25519};
use rustls::pki_types::UnixTime;

use super::certificate::{NodeKey, check, digest, only_certificate};
use super::proof::Statement;
use super::{Base64, IssueCertificate, IssuedCertificate, JoinError, JoinToken};
use crate::certificate_name;

/// A node's request for its certificate, and what makes it sure of the answer.
///
/// It goes to any node that signs, however it likes: nothing in it is secret, and of the answer
/// nothing is believed that does not follow from the token. The key never leaves the machine.
pub struct JoinRequest {
    request: IssueCertificate,
    /// What the node is called in its certificate.
    uri: String,
    ca: Base64<32>,
    key: KeyPair,
}

/// What a node meets its peers by. The three texts are PEM, and what
/// [`Tls::from_files`](crate::Tls::from_files) reads.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeCertificate {
    /// The CA that it trusts.
    pub ca_pem: String,
    /// What it shows.
    pub certificate_pem: String,
    /// Its key, for nobody else.
    pub key_pem: String,
}

impl JoinRequest {
    /// Where it is sent, by `POST`, with the [`body`](Self::body).
    pub const PATH: &str = "/cluster/certificates";

    pub(super) fn new(token: &JoinToken, cluster: &str, name: &str) -> Result<Self, JoinError> {
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(|_| JoinError::Random)?;
        Self::with(token, cluster, name, key)
    }

    pub(super) fn again(
        token: &JoinToken,
        cluster: &str,
        name: &str,
        key_pem: &str,
    ) -> Result<Self, JoinError> {
        // What the parser says quotes the file.
        let key = KeyPair::from_pem(key_pem).map_err(|_| JoinError::Key)?;
        Self::with(token, cluster, name, key)
    }

    fn with(token: &JoinToken, cluster: &str, name: &str, key: KeyPair) -> Result<Self, JoinError> {
        if !key.is_compatible(&PKCS_ED25519) {
            return Err(JoinError::Key);
        }
        let node_key = Base64(key.public_key_raw().try_into().map_err(|_| JoinError::Key)?);
        let signature = Statement { cluster, name, node_key: &node_key }.sign(token.pair());
        let (public, name) = (token.public_key(), name.to_owned());
        let uri = certificate_name(cluster, &name);
        let request = IssueCertificate { token: public, name, node_key, signature };
        Ok(Self { request, uri, ca: token.ca(), key })
    }

    /// What is sent, as JSON.
    pub fn body(&self) -> Vec<u8> {
        serde_json::to_vec(&self.request).expect("it is made of texts")
    }

    /// What is sent, for a program that has a way of its own.
    pub fn command(&self) -> &IssueCertificate {
        &self.request
    }

    /// The node's key as PEM. Kept before the request is sent, it can be sent
    /// [again](JoinToken::request_again) when the answer is lost: a token is good for one key.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// What the node is given by `answer`, the body that came back: a certificate of this node's key
    /// and name, by the CA that the token is bound to.
    ///
    /// Whether it is valid by this machine's clock is seen when the node starts.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn accept(&self, answer: &[u8]) -> Result<NodeCertificate, JoinError> {
        let answer = serde_json::from_slice(answer);
        self.accept_issued(&answer.map_err(|error| JoinError::Answer(error.to_string()))?)
    }

    /// The same of an answer that came another way.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn accept_issued(&self, answer: &IssuedCertificate) -> Result<NodeCertificate, JoinError> {
        let ca = only_certificate(answer.ca.as_bytes()).map_err(JoinError::Answer)?;
        if digest(&ca) != self.ca {
            return Err(JoinError::OtherCa);
        }
        let certificate = only_certificate(answer.certificate.as_bytes());
        let certificate = certificate.map_err(JoinError::Answer)?;
        let at = Duration::from_millis(answer.issued_at.as_millis());
        let at = UnixTime::since_unix_epoch(at);
        check(&ca, &certificate, &self.uri, &NodeKey(self.request.node_key), at)
            .map_err(JoinError::Certificate)?;
        Ok(NodeCertificate {
            ca_pem: answer.ca.clone(),
            certificate_pem: answer.certificate.clone(),
            key_pem: self.key_pem(),
        })
    }
}

impl fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinRequest").field("request", &self.request).finish_non_exhaustive()
    }
}

impl fmt::Debug for NodeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeCertificate")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}
