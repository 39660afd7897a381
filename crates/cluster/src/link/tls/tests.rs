//! Who is met by TLS and who is refused, and what is said of it at both ends; over streams in
//! memory, by certificates that are made here.

mod authority;
mod files;
mod meeting;
mod rotation;
mod strangers;
