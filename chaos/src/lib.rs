//! Real processes of the order cluster on one machine, under faults of every kind.
//!
//! [`run`] starts a [`Plan`]'s nodes, each in a network of its own and on a disk of its own where the
//! machine allows that; clients work on shared orders and write down all that they see; nemeses,
//! several at a time, do what their seed says, and an operator asks for backups meanwhile. Then
//! everything is healed, read back and stopped, backups are restored into new clusters, and the
//! checkers of `catga-check` judge what was written down.
//!
//! What goes wrong with the harness itself is an error, and never a verdict.

mod aftermath;
mod backups;
mod clients;
mod cluster;
mod command;
mod counts;
mod disk;
mod lie;
mod nemesis;
mod network;
mod plan;
mod proxies;
mod report;
mod restores;
mod run;
mod schedule;
#[cfg(test)]
mod stand_in;
mod wires;
mod witnessed;

pub use self::counts::Counts;
pub use self::plan::Plan;
pub use self::report::Report;
pub use self::run::run;
