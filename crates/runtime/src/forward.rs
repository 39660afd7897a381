//! Commands on their way to the leader: what goes over the wire, how an origin finds the leader,
//! and what the leader does with a request.
//!
//! A request that was forwarded is never forwarded again: the wrong node says that it does not
//! lead, and the origin goes on, with the same id and one deadline for all attempts.

mod answer;
mod gathering;
mod leader;
mod opening;
mod request;
mod search;
mod wire;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub(crate) use answer::{Answered, ForwardAnswer};
pub(crate) use gathering::Gathering;
pub(crate) use leader::{Remote, Remotes, Requests, machinery_answer};
pub(crate) use opening::open_session;
pub(crate) use request::{ForwardedCommand, command_request, effect_request};
pub(crate) use search::{End, Means, Place, Search, confirmed_head, goes_on_after};
