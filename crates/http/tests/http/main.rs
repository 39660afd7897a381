//! The whole of HTTP against a real node.

mod admin;
mod calls;
mod entrance;
mod fuzz;
mod logging;
mod nesting;
mod pages;
mod peers;
mod serving;
mod shop;
mod statuses;
mod stream;
mod wait;
