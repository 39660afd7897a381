use serde::{Deserialize, Serialize};

use super::{Base64, EnrolmentError, IssueCertificate, JoinTokenStatus};
use crate::{Event, Timestamp, aggregate};

/// A token was made known.
#[derive(Event, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[event(name = "catga.join-token.created", stream = Admission, key = token, crate = "crate")]
#[serde(rename_all = "camelCase")]
pub struct JoinTokenCreated {
    /// Its public key.
    pub token: Base64<32>,
    /// The node that it is for.
    pub name: String,
    /// It gives a node that is a member another certificate.
    pub renews: bool,
    /// It is good until then.
    pub expires_at: Timestamp,
}

/// A token was used.
#[derive(Event, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[event(name = "catga.join-token.redeemed", stream = Admission, key = token, crate = "crate")]
#[serde(rename_all = "camelCase")]
pub struct JoinTokenRedeemed {
    /// Its public key.
    pub token: Base64<32>,
    /// The key of the node that has used it.
    pub node_key: Base64<32>,
}

/// One token: for whom it is, until when, and by whom it was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission(JoinTokenStatus);

#[aggregate(name = "catga.join-token", crate = "crate")]
impl Admission {
    /// The first event makes it.
    pub fn created(event: &JoinTokenCreated) -> Self {
        let JoinTokenCreated { token, name, renews, expires_at } = event.clone();
        Self(JoinTokenStatus { token, name, renews, expires_at, used_for: None })
    }

    /// It is used up.
    pub fn redeemed(&mut self, event: &JoinTokenRedeemed) {
        self.0.used_for = Some(event.node_key);
    }
}

impl Admission {
    /// What is known of the token.
    pub fn status(&self) -> &JoinTokenStatus {
        &self.0
    }

    /// Whether `request`, which the token's holder has signed, may have a certificate at `now`. True
    /// if it is the first: then the token is to be used up.
    pub(super) fn admits(
        &self,
        request: &IssueCertificate,
        now: Timestamp,
    ) -> Result<bool, EnrolmentError> {
        let JoinTokenStatus { name, expires_at, used_for, .. } = &self.0;
        if *name != request.name {
            return Err(EnrolmentError::OtherName(name.clone()));
        }
        if now >= *expires_at {
            return Err(EnrolmentError::Expired(*expires_at));
        }
        match used_for {
            Some(key) if *key == request.node_key => Ok(false),
            Some(_) => Err(EnrolmentError::Used),
            None => Ok(true),
        }
    }
}
