/// Why a token or an answer to it cannot be used. Nothing that is secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The text is no token.
    #[error(
        "this is no token to join a cluster by: it is `catga1.`, and two texts of 43 characters"
    )]
    NoToken,
    /// The CA cannot be what a token is bound to.
    #[error("the CA: {0}")]
    Ca(String),
    /// The machine has no random numbers.
    #[error("the machine gives no random numbers")]
    Random,
    /// The key of the node is not one.
    #[error("the node's key: it must be of Ed25519, as PEM")]
    Key,
    /// What was answered is no certificate.
    #[error("the answer is no certificate: {0}")]
    Answer(String),
    /// Somebody answered who is not of the cluster that the token is of.
    #[error("the CA that was answered is not the one that the token is bound to")]
    OtherCa,
    /// The certificate is another's, or nobody's.
    #[error("the certificate that was answered: {0}")]
    Certificate(String),
}
