use crate::LinkState;

/// What became of an attempt to make a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// One end will not have the other: why.
    Refused(String),
    /// It says that it stops.
    Left,
    /// It was refused by the machine, or the stream failed at once.
    Failed,
    /// Nothing is heard.
    Unanswered,
}

/// How the links to a node are after an attempt, given how they were before it.
///
/// Only a node that was there can be gone or silent: of one that was never met, nothing is known.
pub(super) fn after(before: &LinkState, attempt: &Attempt) -> LinkState {
    match (attempt, before) {
        (Attempt::Refused(why), _) => LinkState::Refused(why.clone()),
        (Attempt::Left, _) => LinkState::Left,
        // It has said so itself, and whether its process has ended meanwhile changes nothing.
        (_, LinkState::Left) => LinkState::Left,
        (_, LinkState::Connecting | LinkState::Refused(_)) => LinkState::Connecting,
        (Attempt::Failed, LinkState::Up(_) | LinkState::Silent | LinkState::Gone) => {
            LinkState::Gone
        }
        (Attempt::Unanswered, LinkState::Up(_) | LinkState::Silent) => LinkState::Silent,
        (Attempt::Unanswered, LinkState::Gone) => LinkState::Gone,
    }
}

#[cfg(test)]
mod tests {
    use catga_core::NodeName;

    use super::*;
    use crate::{Peer, StoreId};

    #[test]
    fn only_a_node_that_was_met_can_be_gone_or_silent() {
        let up = LinkState::Up(Peer { name: NodeName::new("n2"), id: 2, store: StoreId(2) });
        let (failed, unanswered) = (Attempt::Failed, Attempt::Unanswered);
        assert_eq!(after(&up, &failed), LinkState::Gone);
        assert_eq!(after(&up, &unanswered), LinkState::Silent);
        assert_eq!(after(&LinkState::Silent, &failed), LinkState::Gone);
        assert_eq!(after(&LinkState::Gone, &unanswered), LinkState::Gone);
        let refused = LinkState::Refused("no".to_owned());
        for before in [LinkState::Connecting, refused.clone()] {
            assert_eq!(after(&before, &failed), LinkState::Connecting);
            assert_eq!(after(&before, &unanswered), LinkState::Connecting);
        }
        assert_eq!(after(&LinkState::Left, &failed), LinkState::Left);
        assert_eq!(after(&LinkState::Left, &Attempt::Refused("no".to_owned())), refused);
    }
}
