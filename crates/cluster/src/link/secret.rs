use std::fmt;

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Shorter ones are guessed: whoever joins a handshake can try guesses at home.
const BYTES_MIN: usize = 16;

/// What only the nodes of a cluster know. It is never sent, and never shown.
///
/// It proves who is at the other end when a link is made. It does not hide what is sent
/// afterwards, nor keep somebody on the way from changing it: for that, TLS goes below.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

/// A secret that could be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretTooShort;

impl fmt::Display for SecretTooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret of a cluster has at least {BYTES_MIN} bytes, chosen at random")
    }
}

impl std::error::Error for SecretTooShort {}

impl Secret {
    /// The secret as it is written in configuration.
    ///
    /// # Errors
    /// When it has less than 16 bytes.
    pub fn new(secret: impl Into<String>) -> Result<Self, SecretTooShort> {
        let secret = SecretString::from(secret.into());
        if secret.expose_secret().len() < BYTES_MIN {
            return Err(SecretTooShort);
        }
        Ok(Self(secret))
    }

    /// The proof that whoever plays `role` knows the secret, for this one handshake.
    pub(super) fn prove(&self, role: Role, transcript: &[u8]) -> Vec<u8> {
        self.mac(role, transcript).finalize().into_bytes().to_vec()
    }

    /// True if `proof` is that proof; takes as long if it is not.
    pub(super) fn verify(&self, role: Role, transcript: &[u8], proof: &[u8]) -> bool {
        self.mac(role, transcript).verify_slice(proof).is_ok()
    }

    fn mac(&self, role: Role, transcript: &[u8]) -> Hmac<Sha256> {
        let key = self.0.expose_secret().as_bytes();
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("a key of any length fits");
        mac.update(role.label());
        mac.update(transcript);
        mac
    }
}

/// Which end of a connection somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It dialled.
    Dialler,
    /// It was dialled.
    Acceptor,
}

impl Role {
    /// The other end.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }

    /// Of one length, so that no label and transcript read as another pair.
    fn label(self) -> &'static [u8; 17] {
        match self {
            Self::Dialler => b"catga link dial 1",
            Self::Acceptor => b"catga link take 1",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_one_secret_one_role_and_one_handshake() {
        let secret = Secret::new("correct horse battery").expect("long enough");
        let other = Secret::new("correct horse batters").expect("long enough");
        let proof = secret.prove(Role::Dialler, b"both hellos");
        assert!(secret.verify(Role::Dialler, b"both hellos", &proof));
        assert!(!secret.verify(Role::Acceptor, b"both hellos", &proof));
        assert!(!secret.verify(Role::Dialler, b"other hellos", &proof));
        assert!(!other.verify(Role::Dialler, b"both hellos", &proof));
        assert!(!secret.verify(Role::Dialler, b"both hellos", &proof[..31]));
        assert!(!secret.verify(Role::Dialler, b"both hellos", b""));
    }

    #[test]
    fn a_secret_does_not_show_itself_and_is_long() {
        let secret = Secret::new("correct horse battery").expect("long enough");
        assert!(!format!("{secret:?}").contains("horse"));
        assert_eq!(Secret::new("fifteen letters").err(), Some(SecretTooShort));
    }
}
