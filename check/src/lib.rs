//! Judges what clients of the order cluster saw.
//!
//! A [`History`] is one [`Operation`] for each request; a [`Case`] is a history, the [`Journal`]s of
//! the nodes, and what clusters say that were [`Restored`] of backups. Seven checkers look at it, each
//! in a file of its own that says what it is after and what it does not see: [`witness`],
//! [`linearizable`], [`session`], [`once`], [`answers`], [`readback`] and [`restored`]. None of them
//! knows the service: what an order is stands here a second time, in [`OrderModel`].
//!
//! A checker is a pure function, so an old run can be judged again when a checker has changed.

mod answers;
mod case;
mod effect;
mod history;
mod journal;
mod linearizable;
mod model;
mod once;
mod operation;
mod order_model;
mod outcome;
mod readback;
mod recorder;
mod restored;
mod session;
mod unreadable;
mod verdict;
mod wgl;
mod witness;

pub use self::answers::answers;
pub use self::case::{BACKUPS, Case, HISTORY, JOURNAL};
pub use self::history::History;
pub use self::journal::{Event, Journal, Record};
pub use self::linearizable::linearizable;
pub use self::model::Model;
pub use self::once::once;
pub use self::operation::{Action, Level, Operation};
pub use self::order_model::{Face, OrderAnswer, OrderCall, OrderModel, OrderState};
pub use self::outcome::{Outcome, Refusal, Reply, Shown, Status};
pub use self::readback::readback;
pub use self::recorder::Recorder;
pub use self::restored::{Backup, Restored, restored};
pub use self::session::session;
pub use self::unreadable::Unreadable;
pub use self::verdict::{Finding, Verdict, Wrong};
pub use self::wgl::{Made, Search, search};
pub use self::witness::witness;
