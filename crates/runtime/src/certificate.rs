use std::time::Duration;

use crate::Node;

/// By what a node proves to its peers that it is itself, and how long it can.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateStatus {
    /// How long the certificate is valid by this machine's clock; zero once it has expired.
    pub valid_for: Duration,
    /// How long it was valid when it began.
    pub life: Duration,
    /// Why the newest certificate, or what belongs to it, was not taken; none if it was.
    pub refused: Option<String>,
}

/// A certificate of whose life less than such a part is left should have been replaced: whoever
/// does so in good time does it when a third is left.
const PARTS_OF_LIFE: u32 = 4;

impl CertificateStatus {
    /// That of a certificate which is valid for so long, of its `life`, and which is the newest.
    pub fn new(valid_for: Duration, life: Duration) -> Self {
        Self { valid_for, life, refused: None }
    }

    /// The same where a newer one was not taken: why.
    #[must_use]
    pub fn with_refused(mut self, why: impl Into<String>) -> Self {
        self.refused = Some(why.into());
        self
    }

    /// That of `node`, if it has one.
    pub(crate) fn of(node: &Node) -> Option<Self> {
        node.0.committer.peers.as_ref().and_then(|peers| peers.certificate())
    }

    /// What is wrong with it, for those who look after the node.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<_> = self.refused.iter().cloned().collect();
        if self.valid_for < self.life / PARTS_OF_LIFE {
            complaints.push(match self.valid_for.as_secs() {
                0 => {
                    "this node's certificate has expired: no link to it is made any more".to_owned()
                }
                left => format!("this node's certificate expires in {left} s"),
            });
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_expires_soon_or_was_refused_is_complained_of() {
        let left = |s| CertificateStatus::new(Duration::from_secs(s), Duration::from_secs(40));
        assert!(left(10).complaints().is_empty());
        let soon = left(7).with_refused("no key");
        assert_eq!(soon.complaints(), ["no key", "this node's certificate expires in 7 s"]);
        assert!(left(0).complaints()[0].contains("has expired"));
    }
}
