use crate::Topic;

/// How long a message may be that never is long: a vote, or who the members are. What it is made
/// of takes several times as much when it is read.
const SMALL_BYTES: usize = 1 << 20;

/// How long a message about `topic` may be where the longest has `max` bytes.
pub(super) fn bytes_max(topic: Topic, max: usize) -> usize {
    match topic {
        Topic::Raft | Topic::Succession | Topic::Membership => max.min(SMALL_BYTES),
        Topic::Append | Topic::Log | Topic::Snapshot | Topic::Application => max,
    }
}

/// How many lanes there are.
pub(super) const LANES: usize = 3;

/// How urgent a request and its answer are. Within a lane the order is kept; a fragment of a more
/// urgent lane always goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// A leader is lost or kept by these.
    Urgent,
    /// What somebody waits for.
    Main,
    /// What may take long.
    Bulk,
}

impl Lane {
    /// The lane of what is about `topic`.
    pub(super) fn of(topic: Topic) -> Self {
        match topic {
            Topic::Raft | Topic::Succession => Self::Urgent,
            Topic::Append | Topic::Log | Topic::Membership | Topic::Application => Self::Main,
            Topic::Snapshot => Self::Bulk,
        }
    }

    /// Its place in an array of all lanes, the most urgent first.
    pub(super) fn index(self) -> usize {
        self as usize
    }
}
