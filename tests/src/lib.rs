//! What the integration tests share: a small order domain, and waiting without sleeping.

pub mod authority;
pub mod machines;
pub mod orders;
pub mod parcels;
pub mod shared_cluster;
pub mod shared_log;
pub mod switchboard;
mod wait;

pub use wait::wait_until;
