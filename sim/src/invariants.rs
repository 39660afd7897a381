//! What must hold, one promise in a file: each says where it comes from, how it is observed, and
//! when.
//!
//! A run counts how often each was evaluated ([`Evaluations`]): a promise that nobody looked at is
//! not kept, it is not known.

mod bounded;
mod evaluations;
mod isolation;
mod kept;
mod leaders;
mod liveness;
mod members;
mod once;
mod one_order;
mod one_winner;
mod reads;
mod replies;
mod snapshots;

pub use self::evaluations::Evaluations;

pub(crate) use self::bounded::{Ground, is_bounded};
pub(crate) use self::isolation::{Misdeed, is_certain, is_isolated};
pub(crate) use self::kept::{is_ahead, is_kept};
pub(crate) use self::leaders::Leaders;
pub(crate) use self::liveness::{SERVE_WAIT, must, started};
pub(crate) use self::members::{is_settled, serves_on, serves_reads};
pub(crate) use self::once::{Counted, is_created_once, is_remembered, is_shown_once, is_the_same};
pub(crate) use self::one_order::{Delivered, Hashes, is_in_order};
pub(crate) use self::one_winner::{is_next, is_one_winner};
pub(crate) use self::reads::{is_found, is_read};
pub(crate) use self::replies::is_own;
pub(crate) use self::snapshots::{Snapshots, is_replayed};

use crate::Violation;

/// A promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Invariant {
    /// I1: what was acknowledged stays.
    Kept,
    /// I2: an effect counts once.
    Once,
    /// I3: all nodes hold one order.
    OneOrder,
    /// I4: reads show what they promise.
    Reads,
    /// I5: an answer is that of its own request.
    Replies,
    /// I8: a snapshot is as good as what it stands for.
    Snapshots,
    /// I11: of several that decide on one state one counts.
    OneWinner,
    /// I13: one leads, and only members take part.
    Members,
    /// I14: it goes on when it can.
    Liveness,
    /// I15: what was taken is given back.
    Bounded,
    /// I17: what user code does harms nobody else.
    Isolation,
}

impl Invariant {
    /// Each of them.
    pub const ALL: [Self; 11] = [
        Self::Kept,
        Self::Once,
        Self::OneOrder,
        Self::Reads,
        Self::Replies,
        Self::Snapshots,
        Self::OneWinner,
        Self::Members,
        Self::Liveness,
        Self::Bounded,
        Self::Isolation,
    ];

    /// Its number, and what it is called in tables.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Kept => "I1 acknowledged stays",
            Self::Once => "I2 effects count once",
            Self::OneOrder => "I3 one order",
            Self::Reads => "I4 reads",
            Self::Replies => "I5 own answers",
            Self::Snapshots => "I8 snapshots",
            Self::OneWinner => "I11 one winner",
            Self::Members => "I13 leaders and members",
            Self::Liveness => "I14 goes on",
            Self::Bounded => "I15 bounded",
            Self::Isolation => "I17 isolation",
        }
    }

    /// Its number, such as `I3`.
    pub fn number(self) -> &'static str {
        let title = self.title();
        title.split_once(' ').map_or(title, |(number, _)| number)
    }

    /// It does not hold: what was seen.
    #[cold]
    pub(crate) fn broken(self, what: impl Into<String>) -> Violation {
        Violation { invariant: self, what: what.into() }
    }
}
