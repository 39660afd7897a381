//! Tests of the test kit.

mod failures;
mod given_when_then;
mod orders;
mod virtual_host;
