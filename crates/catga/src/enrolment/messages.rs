use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Base64, EnrolmentError};
use crate::{Command, FieldFaults, Query, Timestamp};

/// How long a token may be good: a week. Whoever needs it longer makes another.
const TTL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long the name of a node may be.
const NAME_BYTES_MAX: usize = 255;

/// Makes a token known by which one node, of this name, may get a certificate once.
#[derive(Command, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[command(
    name = "catga.join-token.create",
    reply = JoinTokenStatus,
    error = EnrolmentError,
    check = check_creation,
    crate = "crate"
)]
#[serde(rename_all = "camelCase")]
pub struct CreateJoinToken {
    /// The token's public key. What it takes to use the token stays with whoever has made it.
    #[schema(value_type = String)]
    pub token: Base64<32>,
    /// The node that it is for.
    #[schema(example = "node4")]
    pub name: String,
    /// How long it is good, in seconds: a week at most.
    #[schema(minimum = 1, example = 3600)]
    pub ttl_s: u64,
    /// It gives a node that is a member another certificate.
    #[serde(default)]
    pub renews: bool,
}

/// What the cluster knows of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinTokenStatus {
    /// Its public key.
    #[schema(value_type = String)]
    pub token: Base64<32>,
    /// The node that it is for.
    pub name: String,
    /// It gives a node that is a member another certificate.
    pub renews: bool,
    /// It is good until then.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The key of the node that has used it, if one has.
    #[schema(value_type = Option<String>)]
    pub used_for: Option<Base64<32>>,
}

/// What the cluster knows of a token; of every one that was made, wherever that was.
#[derive(Query, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[query(
    name = "catga.join-token.get",
    reply = JoinTokenStatus,
    error = EnrolmentError,
    level = Linearizable,
    crate = "crate"
)]
#[serde(rename_all = "camelCase")]
pub struct GetJoinToken {
    /// Its public key.
    pub token: Base64<32>,
}

/// Asks for a certificate, by a token. The node that is asked signs it once the cluster has
/// recorded that the token is used.
#[derive(Command, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[command(
    name = "catga.certificate.issue",
    reply = IssuedCertificate,
    error = EnrolmentError,
    check = check_request,
    crate = "crate"
)]
#[serde(rename_all = "camelCase")]
pub struct IssueCertificate {
    /// The token's public key.
    #[schema(value_type = String)]
    pub token: Base64<32>,
    /// The node that asks.
    #[schema(example = "node4")]
    pub name: String,
    /// The node's public key, of Ed25519.
    #[schema(value_type = String)]
    pub node_key: Base64<32>,
    /// By the token: that this key is to be the node of this name in this cluster.
    #[schema(value_type = String)]
    pub signature: Base64<64>,
}

/// Uses a token up. The same request is answered alike until the token expires, and no other is.
#[derive(Command, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[command(name = "catga.join-token.redeem", error = EnrolmentError, crate = "crate")]
pub struct RedeemJoinToken {
    /// What the node asks for.
    pub request: IssueCertificate,
}

/// What a new node needs to meet its peers, beside the key that it has made itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedCertificate {
    /// The certificate of the CA, as PEM.
    pub ca: String,
    /// The node's own, as PEM.
    pub certificate: String,
    /// When it was signed.
    #[schema(value_type = String, format = DateTime)]
    pub issued_at: Timestamp,
    /// When it expires.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

fn check_creation(command: &CreateJoinToken, faults: &mut FieldFaults) {
    check_name(&command.name, faults);
    let is_bounded = (1..=TTL_MAX.as_secs()).contains(&command.ttl_s);
    faults.require(is_bounded, "ttlS", "must be from 1 s to 604800 s, which is a week");
}

fn check_request(request: &IssueCertificate, faults: &mut FieldFaults) {
    check_name(&request.name, faults);
}

fn check_name(name: &str, faults: &mut FieldFaults) {
    let is_bounded = (1..=NAME_BYTES_MAX).contains(&name.len());
    faults.require(is_bounded, "name", "must be the name of a node, of 255 bytes at most");
}
