//! Mutual TLS below the handshake of a link: it makes of the stream another one.
//!
//! [`Tls`] says where the files are. [`Keys`](keys) is what they say once, checked as a whole;
//! [`Credentials`] has the newest ones, and looks after the files. What a
//! [certificate](certified) says of its owner is compared with what that one says of itself in its
//! [hello](super::hello), and nothing else of it counts.

mod certified;
mod clock;
mod credentials;
mod files;
mod keys;
mod name;
mod options;
mod pem;
mod signed;
mod stream;
mod trouble;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use self::credentials::{Certificate, Credentials};
pub use self::files::TlsError;
pub use self::name::certificate_name;
pub use self::options::Tls;
pub use self::pem::{certificates_in, read_pem};

pub(super) use self::certified::Certified;
pub(super) use self::credentials::Changes;
pub(super) use self::trouble::trouble;
