//! Tokens, requests and certificates, each end against the other. What becomes of them in a cluster
//! is in `crates/catga/tests/enrolment.rs`.

mod answers;
mod authority;
mod bodies;
mod ca;
mod tokens;
