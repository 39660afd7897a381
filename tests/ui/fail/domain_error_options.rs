//! Refusals with codes and kinds that are none.

use catga::prelude::*;

#[derive(Debug, serde::Serialize, serde::Deserialize, thiserror::Error, DomainError)]
enum PayError {
    #[error("no such order")]
    #[refusal(kind = Notfound)]
    NotFound,
    #[error("closed")]
    #[refusal(codes = "order.closed", retryable)]
    Closed,
}

fn main() {}
