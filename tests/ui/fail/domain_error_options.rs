//! Refusals with codes and kinds that are none.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

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
