use std::fmt;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};

use super::certificate::{digest, only_certificate};
use super::{Base64, CreateJoinToken, JoinError, JoinRequest};

/// What the text begins with; another kind of token would have another.
const KIND: &str = "catga1";

/// What a new node is given, to get its certificate by: `catga1.<seed>.<hash>`.
///
/// The seed is that of a key pair of Ed25519, whose public key is all that the cluster knows of the
/// token; the hash is of the one CA that the node is to trust. Both are base64url.
///
/// ```
/// # use catga::enrolment::JoinToken;
/// # fn demo(ca: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// let token = JoinToken::make(ca)?;
/// // What the cluster is told of it. It goes to `/cluster/join-tokens`, as JSON.
/// let creation = token.creation("node4", std::time::Duration::from_secs(3600));
/// // What the new node is given.
/// let text = token.reveal();
/// assert_eq!(JoinToken::parse(&text)?.public_key(), creation.token);
/// # Ok(())
/// # }
/// ```
pub struct JoinToken {
    /// Wiped when it is dropped.
    seed: SecretBox<[u8; 32]>,
    pair: Ed25519KeyPair,
    ca: Base64<32>,
}

impl JoinToken {
    /// A new token for a node that is to trust the CA in `ca`, which is one certificate as PEM.
    ///
    /// # Errors
    /// When there is no certificate, or more than one: a token is bound to the one that signs.
    pub fn make(ca: &[u8]) -> Result<Self, JoinError> {
        let ca = only_certificate(ca).map_err(JoinError::Ca)?;
        let mut seed = SecretBox::new(Box::new([0; 32]));
        let random = SystemRandom::new().fill(seed.expose_secret_mut());
        random.map_err(|_| JoinError::Random)?;
        Ok(Self::of(seed, digest(&ca)))
    }

    /// The token that reads `text`, white space around it aside.
    ///
    /// # Errors
    /// When it is none. What is said of it quotes nothing.
    pub fn parse(text: &str) -> Result<Self, JoinError> {
        let mut parts = text.trim().split('.');
        let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
        let [Some(KIND), Some(seed), Some(ca), None] = parts else {
            return Err(JoinError::NoToken);
        };
        let seed: Base64<32> = seed.parse().map_err(|_| JoinError::NoToken)?;
        let ca = ca.parse().map_err(|_| JoinError::NoToken)?;
        Ok(Self::of(SecretBox::new(Box::new(seed.0)), ca))
    }

    fn of(seed: SecretBox<[u8; 32]>, ca: Base64<32>) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose_secret());
        Self { pair: pair.expect("any 32 bytes are a seed"), seed, ca }
    }

    /// The token as it is handed over. Whoever has this can use it.
    pub fn reveal(&self) -> String {
        format!("{KIND}.{}.{}", Base64(*self.seed.expose_secret()), self.ca)
    }

    /// By what the cluster knows it. No secret.
    pub fn public_key(&self) -> Base64<32> {
        let key = self.pair.public_key().as_ref();
        Base64(key.try_into().expect("a key of Ed25519 has 32 bytes"))
    }

    /// What tells a cluster that this token is for the node called `name`, for so long.
    pub fn creation(&self, name: impl Into<String>, ttl: Duration) -> CreateJoinToken {
        let token = self.public_key();
        CreateJoinToken { token, name: name.into(), ttl_s: ttl.as_secs(), renews: false }
    }

    /// Asks, as the node called `name`, for a certificate of `cluster`, with a new key.
    ///
    /// # Errors
    /// When the machine has no random numbers.
    pub fn request(&self, cluster: &str, name: &str) -> Result<JoinRequest, JoinError> {
        JoinRequest::new(self, cluster, name)
    }

    /// Asks again, with the key of a request that may have been answered, or not.
    ///
    /// # Errors
    /// When that is no key of such a request.
    pub fn request_again(
        &self,
        cluster: &str,
        name: &str,
        key_pem: &str,
    ) -> Result<JoinRequest, JoinError> {
        JoinRequest::again(self, cluster, name, key_pem)
    }

    pub(super) fn pair(&self) -> &Ed25519KeyPair {
        &self.pair
    }

    /// The hash of the CA that it is bound to.
    pub(super) fn ca(&self) -> Base64<32> {
        self.ca
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("public_key", &self.public_key()).finish_non_exhaustive()
    }
}
