//! Bugs on purpose, to see that the simulator catches them. Only builds with the feature `planted`
//! can have one, and only where a test has asked for it.

/// A bug that somebody could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Planted {
    /// An append is answered when it was written, before it is synced.
    AckBeforeSync,
    /// A vote is made durable before the entries that came before it.
    VoteAroundAppends,
    /// A frame whose checksum differs passes for a good one.
    TornTailAccepted,
    /// A checkpoint is not synced before the log below it is dropped.
    CheckpointNotSynced,
    /// An entry counts as held by a follower once it was sent.
    AckBeforeQuorum,
    /// A leader that restarts goes on leading in its old term.
    LeaderRestore,
    /// A read index is given without asking a quorum whether its node still leads.
    ReadIndexUnconfirmed,
    /// A snapshot does not hold which ids and keys have counted.
    DedupNotInSnapshot,
    /// A vote is given without being written down.
    VoteNotPersisted,
    /// A start on a checkpoint passes over the first entry behind it.
    EntrySkippedAtStart,
    /// A read index that was asked for earlier is given to those who come later.
    ReadIndexReused,
    /// Commands that went to the leader together get each other's answers.
    AnswersSwapped,
    /// Effects are proposed without their conditions.
    ConditionsDropped,
    /// A member that was removed is told that it belongs.
    RemovedBelongs,
    /// Whoever stops waiting for a command stays among those who wait.
    WaitKept,
    /// A connection to a peer that is lost leaves a task behind.
    LinkTaskKept,
    /// A command whose handler panicked stays under way.
    PanicStaysUnderWay,
    /// A snapshot does not hold the latest wall time.
    WallNotInSnapshot,
    /// Newer rules begin as soon as the leader knows them, whatever the others know.
    RulesTooEarly,
    /// What has counted is told by its client alone, whichever of its commands it was.
    DedupByClient,
    /// The time after which ids and keys are forgotten is that of each node's own wall clock.
    ExpiryByWallClock,
    /// A dead letter is recorded after the cursor that has passed its event.
    LetterAfterCursor,
    /// A subscriber's cursor is recorded before its event is delivered.
    CursorBeforeDelivery,
}

impl Planted {
    /// Each of them.
    pub const ALL: [Self; 23] = [
        Self::AckBeforeSync,
        Self::VoteAroundAppends,
        Self::TornTailAccepted,
        Self::CheckpointNotSynced,
        Self::AckBeforeQuorum,
        Self::LeaderRestore,
        Self::ReadIndexUnconfirmed,
        Self::DedupNotInSnapshot,
        Self::VoteNotPersisted,
        Self::EntrySkippedAtStart,
        Self::ReadIndexReused,
        Self::AnswersSwapped,
        Self::ConditionsDropped,
        Self::RemovedBelongs,
        Self::WaitKept,
        Self::LinkTaskKept,
        Self::PanicStaysUnderWay,
        Self::WallNotInSnapshot,
        Self::RulesTooEarly,
        Self::DedupByClient,
        Self::ExpiryByWallClock,
        Self::LetterAfterCursor,
        Self::CursorBeforeDelivery,
    ];

    /// Its name on command lines and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AckBeforeSync => "ack-before-sync",
            Self::VoteAroundAppends => "vote-around-appends",
            Self::TornTailAccepted => "torn-tail-accepted",
            Self::CheckpointNotSynced => "checkpoint-not-synced",
            Self::AckBeforeQuorum => "ack-before-quorum",
            Self::LeaderRestore => "leader-restore",
            Self::ReadIndexUnconfirmed => "read-index-unconfirmed",
            Self::DedupNotInSnapshot => "dedup-not-in-snapshot",
            Self::VoteNotPersisted => "vote-not-persisted",
            Self::EntrySkippedAtStart => "entry-skipped-at-start",
            Self::ReadIndexReused => "read-index-reused",
            Self::AnswersSwapped => "answers-swapped",
            Self::ConditionsDropped => "conditions-dropped",
            Self::RemovedBelongs => "removed-belongs",
            Self::WaitKept => "wait-kept",
            Self::LinkTaskKept => "link-task-kept",
            Self::PanicStaysUnderWay => "panic-stays-under-way",
            Self::WallNotInSnapshot => "wall-not-in-snapshot",
            Self::RulesTooEarly => "rules-too-early",
            Self::DedupByClient => "dedup-by-client",
            Self::ExpiryByWallClock => "expiry-by-wall-clock",
            Self::LetterAfterCursor => "letter-after-cursor",
            Self::CursorBeforeDelivery => "cursor-before-delivery",
        }
    }

    /// True if this thread is to have it.
    #[inline]
    pub fn is_here(self) -> bool {
        #[cfg(feature = "planted")]
        return HERE.get() == Some(self);
        #[cfg(not(feature = "planted"))]
        return false;
    }
}

#[cfg(feature = "planted")]
thread_local! {
    /// A simulation runs on one thread, so that others beside it are as they should be.
    static HERE: std::cell::Cell<Option<Planted>> = const { std::cell::Cell::new(None) };
}

/// Gives this thread a bug, or takes it back.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Planted>) {
    HERE.set(bug);
}
