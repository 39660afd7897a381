//! Puts the service to the test: clients place orders while it is killed and started again, and
//! then every order that was acknowledged is looked for.
//!
//! Clients begin at different nodes, and go on to the next one when theirs does not answer. A client
//! repeats a request that nobody answered, under its key, until it is answered; so in the end the
//! [`Ledger`] has exactly one answer for each key. [`run`] follows a [`Plan`] of kills and gives the
//! [`Verdict`]; [`audit`] reads back from every node what a ledger holds.

mod agreement;
mod audit;
mod error;
mod findings;
mod ledger;
mod load;
mod pauses;
mod plan;
mod rolling;
mod run;
mod settle;
mod shopper;
mod tally;
mod verdict;

pub use self::agreement::agree;
pub use self::audit::audit;
pub use self::error::Error;
pub use self::findings::{Findings, Wrong};
pub use self::ledger::{Account, Answered, Ledger, Placed};
pub use self::plan::{Kill, Moment, Plan, Whom};
pub use self::rolling::{Rolled, roll, upgrade};
pub use self::run::{Progress, run};
pub use self::verdict::Verdict;
