//! The whole of HTTP against a real node.

mod admin;
mod calls;
mod entrance;
mod logging;
mod pages;
mod peers;
mod serving;
mod shop;
mod statuses;
mod stream;
mod wait;
