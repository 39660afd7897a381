use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::admission::{Admission, JoinTokenCreated, JoinTokenRedeemed};
use super::{Base64, EnrolmentError};
use crate::{EventMeta, projection};

/// How long a token is remembered after it has expired, so that whoever comes late hears why: a
/// week. By this there are never more than were made in two weeks.
const REMEMBERED_MS: u64 = 7 * 24 * 3600 * 1000;

/// The tokens that are good, or were lately: by this a node turns somebody away who has none,
/// without a trace in the journal.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JoinTokens(BTreeMap<Base64<32>, Admission>);

#[projection(name = "catga.join-tokens", version = 1, crate = "crate")]
impl JoinTokens {
    fn created(&mut self, event: &JoinTokenCreated, meta: &EventMeta) {
        let is_remembered = |it: &Admission| {
            it.status().expires_at.as_millis().saturating_add(REMEMBERED_MS) > meta.at.as_millis()
        };
        self.0.retain(|_, token| is_remembered(token));
        self.0.insert(event.token, Admission::created(event));
    }

    fn redeemed(&mut self, event: &JoinTokenRedeemed) {
        if let Some(token) = self.0.get_mut(&event.token) {
            token.redeemed(event);
        }
    }
}

impl JoinTokens {
    pub(super) fn find(&self, token: &Base64<32>) -> Result<&Admission, EnrolmentError> {
        self.0.get(token).ok_or(EnrolmentError::Unknown)
    }
}
