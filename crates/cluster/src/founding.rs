//! How a cluster begins: all its first members are there, new, and agree on who they are.
//!
//! Each introduces itself to all others. When all have answered, are new, and were told the same
//! members, the one with the lowest name writes a [charter](Charter) and has every other one write
//! it; only when it is durable on all of them does it make the cluster. So whoever is in the
//! charter that it holds is a voter, whatever happened since, and a node that finds a cluster whose
//! charter does not name it joins that.
//!
//! A voter that lost its data comes with another number under the name that the charter has. It is
//! refused: what it had acknowledged is gone, and to let it vote again could lose it everywhere.

mod charter;
mod error;
mod found;
mod founder;
mod messages;

#[cfg(test)]
mod fuzz;

pub use self::charter::{Charter, Founding};
pub use self::error::FoundingError;
pub(crate) use self::found::found;
pub(crate) use self::founder::Founder;
