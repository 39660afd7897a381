//! What the integration tests share: a small order domain, and waiting without sleeping.

pub mod orders;
mod wait;

pub use wait::wait_until;
