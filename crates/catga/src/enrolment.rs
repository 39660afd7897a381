//! A new node joins by a token that is good once: for one name, one key, and an hour.
//!
//! What the node gets for it is a [certificate](crate::Tls), which is no secret, so that all of this
//! goes over the application's own port. It makes its key itself.
//!
//! 1. An operator makes a [`JoinToken`], and tells the cluster its public key
//!    ([`CreateJoinToken`], at `/cluster/join-tokens`).
//! 2. The new node is given the token, and asks any node that signs
//!    ([`JoinRequest`], [`IssueCertificate`], at `/cluster/certificates`).
//! 3. That one has the cluster record that the token is used ([`RedeemJoinToken`]), and only then
//!    signs. The same key is answered as often as it asks, until the token expires, so that an
//!    answer that was lost is heard; another key never is.
//!
//! [`Enrolment`] is an ordinary service, and a token an ordinary aggregate: it outlives any node,
//! and of two nodes with one token the log decides which is first. What it takes to use a token is
//! in no journal, no backup and no log: only its public key is.
//!
//! ```no_run
//! use catga::enrolment::Enrolment;
//! use catga::prelude::*;
//! use catga::{Cluster, Routes, Tls};
//!
//! # #[tokio::main]
//! # async fn main() -> catga::Result<()> {
//! let node = Catga::builder()
//!     // Reads CLUSTER_TLS_CA and, where this node may sign, CLUSTER_TLS_CA_KEY.
//!     .service(|n| Enrolment::new(n, "orders").with_env())
//!     .cluster(Cluster::from_env()?)
//!     .start()
//!     .await?;
//! catga::serve(node, Enrolment::routes(Routes::new("Orders"))).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The new node, with whatever sends HTTP:
//!
//! ```
//! # use catga::enrolment::{JoinError, JoinRequest, JoinToken};
//! # fn enroll(text: &str, send: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> Result<(), JoinError> {
//! let token = JoinToken::parse(text)?;
//! let request = token.request("orders", "node4")?;
//! // Kept before it is sent: without its key, a token that was used is of no use.
//! let key = request.key_pem();
//! let answer = send(JoinRequest::PATH, request.body());
//! let files = request.accept(&answer)?;
//! # let _ = (key, files.ca_pem, files.certificate_pem, files.key_pem);
//! # Ok(())
//! # }
//! ```

mod admission;
mod authority;
mod base64;
mod ca_name;
mod certificate;
mod error;
mod join_error;
mod join_request;
mod join_token;
mod join_tokens;
mod messages;
mod proof;
mod service;

#[cfg(test)]
mod tests;

pub use self::admission::{Admission, JoinTokenCreated, JoinTokenRedeemed};
pub use self::base64::{Base64, ParseBase64Error};
pub use self::error::EnrolmentError;
pub use self::join_error::JoinError;
pub use self::join_request::{JoinRequest, NodeCertificate};
pub use self::join_token::JoinToken;
pub use self::join_tokens::JoinTokens;
pub use self::messages::{
    CreateJoinToken, GetJoinToken, IssueCertificate, IssuedCertificate, JoinTokenStatus,
    RedeemJoinToken,
};
pub use self::service::Enrolment;
