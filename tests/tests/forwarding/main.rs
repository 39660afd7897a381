//! Commands on any node of a cluster: they run on the leader, once, and whoever called hears so.

mod rig;
mod tallies;

mod answers;
mod at_random;
mod leaders;
mod lost_calls;
mod starting;
