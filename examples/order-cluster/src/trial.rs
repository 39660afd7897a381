//! Puts the service to the test: clients place orders while it is killed and started again, and
//! then every order that was acknowledged is looked for.
//!
//! A [`Server`] is a process of the service; a [`Client`] asks it, or another one of several. A
//! client repeats a request that nobody answered, under its key, until it is answered; so in the
//! end the [`Ledger`] has exactly one answer for each key. [`run`] follows a [`Plan`] of kills and
//! gives the [`Verdict`]; [`audit`] reads back what a ledger holds.

mod audit;
mod client;
mod error;
mod findings;
mod ledger;
mod load;
mod pauses;
mod plan;
mod run;
mod server;
mod settle;
mod shopper;
mod tally;
mod verdict;

pub use self::audit::audit;
pub use self::client::{Answer, Call, Client, NoAnswer};
pub use self::error::Error;
pub use self::findings::{Findings, Wrong};
pub use self::ledger::{Account, Answered, Ledger, Placed};
pub use self::plan::{Kill, Moment, Plan};
pub use self::run::{Progress, run};
pub use self::server::{Server, ServerError, ServerOptions};
pub use self::verdict::Verdict;
