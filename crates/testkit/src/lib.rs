//! Tests of Catga programs: given, when, then without a node; and a machine with virtual clocks
//! for tests with one.
//!
//! Name it beside `catga`, as a dev-dependency.
//!
//! # Given, when, then
//!
//! What happened before, what is asked for, and what comes of it. [`given`] takes events,
//! [`when`](Given::when) lets a service handle a message, [`Then`] checks the answer, the events,
//! and what other commands would conflict. No node is started and nothing is awaited.
//!
//! ```
//! # use catga::prelude::*;
//! # #[derive(Command, Serialize, Deserialize)]
//! # #[command(name = "account.withdraw", reply = i64, error = Refused)]
//! # struct Withdraw { account: u32, amount: i64 }
//! # #[derive(Event, Serialize, Deserialize)]
//! # #[event(name = "account.opened", stream = Account, key = account)]
//! # struct Opened { account: u32, balance: i64 }
//! # #[derive(Event, Serialize, Deserialize)]
//! # #[event(name = "account.withdrawn", stream = Account, key = account)]
//! # struct Withdrawn { account: u32, amount: i64 }
//! # #[derive(DomainError, Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
//! # enum Refused {
//! #     #[error("there is no such account")] NoAccount,
//! #     #[error("only {0} is left")] TooMuch(i64),
//! # }
//! # #[derive(Clone, Debug, PartialEq)]
//! # struct Account { balance: i64 }
//! # #[aggregate(name = "account")]
//! # impl Account {
//! #     fn opened(event: &Opened) -> Self { Self { balance: event.balance } }
//! #     fn withdrawn(&mut self, event: &Withdrawn) { self.balance -= event.amount; }
//! # }
//! # struct Accounts;
//! # #[service]
//! # impl Accounts {
//! #     async fn withdraw(&self, cmd: Withdraw, tx: &mut Tx) -> Answer<i64, Refused> {
//! #         let mut account =
//! #             tx.load::<Account>(&cmd.account).await?.ok_or(Refused::NoAccount)?;
//! #         if account.balance < cmd.amount {
//! #             return Err(Refused::TooMuch(account.balance).into());
//! #         }
//! #         account.emit(Withdrawn { account: cmd.account, amount: cmd.amount });
//! #         Ok(account.balance)
//! #     }
//! # }
//! use catga_testkit::given;
//!
//! let opened = given().event(Opened { account: 7, balance: 100 });
//!
//! opened
//!     .when(&Accounts, Withdraw { account: 7, amount: 30 })
//!     .then_reply(70)
//!     .then_events([Withdrawn { account: 7, amount: 30 }])
//!     .then_conflicts_with([Withdrawn { account: 7, amount: 100 }]);
//!
//! opened
//!     .when(&Accounts, Withdraw { account: 7, amount: 101 })
//!     .then_refused(Refused::TooMuch(100))
//!     .then_nothing();
//! ```
//!
//! - Aggregates and projections alone: [`Given::state`], [`Given::projection`].
//! - A service that reads a projection gets [`Given::view`].
//! - A subscriber's method gets [`Given::delivered`].
//! - Time is [`Given::at`], ids are [`Given::new_id`]: both are what the handler sees.
//!
//! # Virtual clocks
//!
//! [`run`](run()) gives a test a [`VirtualHost`]: a day passes at once, the wall clock can go
//! backwards, the machine can crash, and the same seed gives the same run: its [`Trace`] says so.
//!
//! # Simulated disks
//!
//! The machine's files are on a [`SimDisk`](disk::SimDisk): it loses at a
//! [power cut](VirtualHost::power_cut) what nobody made durable, and can be full, slow or broken.
//! [`CrashStates`](disk::CrashStates) tries a loss of power after each change of a recorded run.
//!
//! # Simulated networks
//!
//! [Machines of one network](VirtualHost::in_network) reach each other over a
//! [`SimNetwork`](network::SimNetwork), whose paths can be slow, cut one way and healed; their
//! processes can [stand still](VirtualHost::pause).

mod blocking;
mod clock;
mod difference;
mod value;

mod events;
mod past;
mod written;

mod given;
mod then;

pub mod disk;
pub mod network;
mod process;
mod run;
mod tasks;
mod trace;
mod virtual_host;

pub use blocking::block_on;
pub use clock::time;
pub use events::{Events, IntoEvents};
pub use given::{Enter, Given, given};
pub use run::run;
pub use then::Then;
pub use trace::Trace;
pub use virtual_host::VirtualHost;
