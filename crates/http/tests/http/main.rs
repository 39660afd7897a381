//! The whole of HTTP against a real node.

mod calls;
mod logging;
mod pages;
mod serving;
mod shop;
mod statuses;
mod wait;
