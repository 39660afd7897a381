//! Tokens, requests and certificates, each end against the other. What becomes of them in a cluster
//! is in `tests/tests/enrolment.rs`.

mod answers;
mod authority;
mod bodies;
mod ca;
mod tokens;
