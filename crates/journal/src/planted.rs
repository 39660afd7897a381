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
}

impl Planted {
    /// Each of them.
    pub const ALL: [Self; 8] = [
        Self::AckBeforeSync,
        Self::VoteAroundAppends,
        Self::TornTailAccepted,
        Self::CheckpointNotSynced,
        Self::AckBeforeQuorum,
        Self::LeaderRestore,
        Self::ReadIndexUnconfirmed,
        Self::DedupNotInSnapshot,
    ];

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
