//! The disk of a simulated machine, and every state that a loss of power can leave it in.
//!
//! [`SimDisk`] is what a [`VirtualHost`](crate::VirtualHost) has for files. What it holds is a
//! plain state that follows from the changes made to it: what is read, what is durable, and what
//! lies between. So a [`Recording`] of the changes can be played again, and [`CrashStates`] gives,
//! at each of them, disks as they could be found if the power went just then.

mod change;
mod content;
mod state;

mod counts;
mod crash;
mod crash_states;
mod fault;
mod paths;
mod platter;
mod recording;
mod sim_disk;
mod sim_file;
mod sim_files;
mod syncing;

pub use counts::Counts;
pub use crash::Lost;
pub use crash_states::{CrashState, CrashStates};
pub use fault::{Call, Fault};
pub use recording::Recording;
pub use sim_disk::SimDisk;
