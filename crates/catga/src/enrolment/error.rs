use serde::{Deserialize, Serialize};

use crate::{DomainError, Timestamp};

/// Why nobody is let in, or no token is made.
#[derive(DomainError, Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[domain_error(crate = "crate")]
#[non_exhaustive]
pub enum EnrolmentError {
    /// Nobody has made such a token, or it expired long ago.
    #[error("nobody has made this token for this cluster, or it expired long ago")]
    #[refusal(code = "catga.join-token.unknown", kind = NotFound)]
    Unknown,
    /// Whoever asks does not hold the token, or asks another cluster than it means.
    #[error("the request is not signed by the holder of the token, for this cluster")]
    #[refusal(code = "catga.join-token.not-signed", kind = Forbidden)]
    NotSigned,
    /// It is too late.
    #[error("the token has expired, at {0}")]
    #[refusal(code = "catga.join-token.expired", kind = Forbidden)]
    Expired(Timestamp),
    /// Somebody has used it.
    #[error("the token was used, for another key than this one")]
    #[refusal(code = "catga.join-token.used", kind = Forbidden)]
    Used,
    /// It is for somebody else.
    #[error("the token is for the node `{0}`")]
    #[refusal(code = "catga.join-token.other-name", kind = Forbidden)]
    OtherName(String),
    /// There is one of that name, and the token is not for it.
    #[error("`{0}` is a member already: only a token that renews gives it another certificate")]
    #[refusal(code = "catga.join-token.member")]
    Member(String),
    /// The key of the token is that of another one.
    #[error("there is a token of that key, and it says something else")]
    #[refusal(code = "catga.join-token.exists")]
    Exists,
    /// The node that was asked has not what it takes to sign.
    #[error("this node signs no certificates: {0}")]
    #[refusal(code = "catga.certificate.no-authority", kind = Unavailable, transient)]
    NoAuthority(String),
}
