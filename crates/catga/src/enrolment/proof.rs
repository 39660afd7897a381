//! What the holder of a token signs with it: that this key is to be the node of this name.

use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

use super::Base64;

/// Says what is signed, so that no signature of another kind can stand for one of these.
const LABEL: &[u8] = b"catga join 1";

/// What stands in a request to join, to be signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement<'a> {
    pub(super) cluster: &'a str,
    pub(super) name: &'a str,
    pub(super) node_key: &'a Base64<32>,
}

impl Statement<'_> {
    /// Signs it with the token's own key.
    pub(super) fn sign(&self, token: &Ed25519KeyPair) -> Base64<64> {
        let signature = token.sign(&self.bytes());
        Base64(signature.as_ref().try_into().expect("a signature of Ed25519 has 64 bytes"))
    }

    /// True if the holder of `token` has signed it.
    pub(super) fn is_signed(&self, token: &Base64<32>, signature: &Base64<64>) -> bool {
        UnparsedPublicKey::new(&ED25519, token.0).verify(&self.bytes(), &signature.0).is_ok()
    }

    /// Each part after its length, so that no two statements share their bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let parts = [LABEL, self.cluster.as_bytes(), self.name.as_bytes(), &self.node_key.0];
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::KeyPair;

    use super::*;

    #[test]
    fn a_signature_is_good_for_one_statement_alone() {
        let token = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed");
        let public = Base64(token.public_key().as_ref().try_into().expect("32 bytes"));
        let (key, other) = (Base64([1; 32]), Base64([2; 32]));
        let statement = Statement { cluster: "shop", name: "node4", node_key: &key };
        let signature = statement.sign(&token);
        assert!(statement.is_signed(&public, &signature));
        for changed in [
            Statement { cluster: "shed", ..statement },
            Statement { name: "node5", ..statement },
            Statement { node_key: &other, ..statement },
            Statement { cluster: "shopn", name: "ode4", ..statement },
        ] {
            assert!(!changed.is_signed(&public, &signature), "{changed:?}");
        }
        assert!(!statement.is_signed(&other, &signature));
        let mut tampered = signature;
        tampered.0[3] ^= 1;
        assert!(!statement.is_signed(&public, &tampered));
    }
}
