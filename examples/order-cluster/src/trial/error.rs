use std::time::Duration;

use crate::fleet::ServerError;

/// Why a trial could not be carried out. What it finds wrong is no error, but its verdict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service could not be started, killed or stopped.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The clients get nowhere.
    #[error("no order was acknowledged for {0:?} while the service ran")]
    Stalled(Duration),
    /// A client broke off, which is a bug of the trial.
    #[error("a client of the trial broke off: {0}")]
    Client(#[from] tokio::task::JoinError),
}
