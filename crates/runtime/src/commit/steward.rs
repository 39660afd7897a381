//! What a leader asks of the engine for the cluster's sake: newer rules, once every member goes along
//! with them, and an end of what it remembers of nodes that have left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catga_core::{Context, Timestamp};
use catga_engine::{Directive, Verdict};
use catga_journal::EngineVersions;
use catga_journal::planted::Planted;

use super::{Committer, OwnParts};
use crate::MemberStatus;

/// How often a leader looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a node is no member before its session is closed: what it had under way is settled by
/// then.
const GONE_FOR: Duration = Duration::from_secs(10);

/// The first rules by which a session can be closed.
const CLOSES_SESSIONS: u32 = 2;

impl Committer {
    /// Looks after the engine wherever this node leads; runs until it is dropped.
    pub(crate) async fn look_after_engine(self: Arc<Self>) {
        let mut missing = Missing::default();
        loop {
            self.host.sleep(LOOK_EVERY).await;
            let Some(peers) = self.peers.as_ref().filter(|_| self.leads()) else {
                missing = Missing::default();
                continue;
            };
            let (members, engine) = (peers.members(), self.journal.engine());
            if let Some(to) = next_version(&members, engine) {
                tracing::info!(from = engine.active, to, "every member goes along: newer rules");
                self.ask(Directive::RaiseEngine { to }).await;
            } else if engine.active >= CLOSES_SESSIONS
                && let Some(node) =
                    missing.longest(&self.journal.nodes(), &members, self.host.now())
            {
                tracing::info!(%node, "it has left: its session is closed");
                self.ask(Directive::CloseSession { node: node.to_string() }).await;
            }
        }
    }

    /// Asks it of the engine once; if nothing comes of it, the next look asks again.
    async fn ask(&self, directive: Directive) {
        let parts = OwnParts {
            at: Timestamp::from_millis(self.host.wall_ms()),
            context: &Context::default(),
            events: Vec::new(),
            records: Vec::new(),
            conditions: Vec::new(),
            directive: Some(directive),
        };
        match self.commit_own(parts).await {
            (_, Ok(Verdict::Counted { .. })) => {}
            (_, Ok(verdict)) => tracing::warn!(?verdict, "the engine did not take what was asked"),
            (_, Err(fault)) => tracing::debug!(%fault, "it is asked again"),
        }
    }
}

/// The rules that every member goes along with, if they are newer than those in force.
fn next_version(members: &[MemberStatus], engine: EngineVersions) -> Option<u32> {
    let all = members.iter().map(|member| member.engine_version).min()?;
    let all = if Planted::RulesTooEarly.is_here() { engine.supported } else { all };
    Some(all.min(engine.supported)).filter(|to| *to > engine.active)
}

/// Since when nodes with a session have been no members, as this leader sees it.
#[derive(Debug, Default)]
struct Missing(BTreeMap<Arc<str>, Duration>);

impl Missing {
    /// One of `nodes` that has been none of the `members` for long.
    fn longest(
        &mut self,
        nodes: &[Arc<str>],
        members: &[MemberStatus],
        now: Duration,
    ) -> Option<Arc<str>> {
        let is_member = |node: &str| members.iter().any(|member| member.name.as_str() == node);
        let gone: Vec<_> = nodes.iter().filter(|node| !is_member(node)).collect();
        self.0.retain(|node, _| gone.contains(&node));
        for node in gone {
            self.0.entry(Arc::clone(node)).or_insert(now);
        }
        let mut long = self.0.iter().filter(|(_, since)| now.saturating_sub(**since) >= GONE_FOR);
        long.next().map(|(node, _)| Arc::clone(node))
    }
}

#[cfg(test)]
mod tests {
    use catga_core::NodeName;

    use super::*;
    use crate::MemberState;

    fn member(name: &str, version: u32) -> MemberStatus {
        let name = NodeName::new(name);
        MemberStatus::new(name, MemberState::Unreachable, false).with_engine_version(version)
    }

    #[test]
    fn the_rules_are_those_of_the_oldest_member() {
        let next = |versions: &[u32], active, supported| {
            let members: Vec<_> = versions.iter().map(|version| member("n", *version)).collect();
            next_version(&members, EngineVersions::new(active, supported))
        };
        assert_eq!(next(&[3, 2, 3], 1, 3), Some(2));
        assert_eq!(next(&[3, 2, 3], 2, 3), None);
        assert_eq!(next(&[3, 3], 1, 2), Some(2), "no newer than the leader knows");
        assert_eq!(next(&[1, 3], 2, 3), None, "never back");
        assert_eq!(next(&[], 1, 3), None);
    }

    #[test]
    fn a_node_has_left_when_it_was_missing_all_the_time() {
        let nodes = ["a".into(), "b".into()];
        let mut missing = Missing::default();
        let both = [member("a", 1), member("b", 1)];
        let second = Duration::from_secs(1);
        assert_eq!(missing.longest(&nodes, &both[..1], second), None);
        assert_eq!(missing.longest(&nodes, &both[..1], GONE_FOR), None);
        assert_eq!(missing.longest(&nodes, &both, GONE_FOR + second), None, "it came back");
        assert_eq!(missing.longest(&nodes, &both[..1], 2 * GONE_FOR), None);
        assert_eq!(missing.longest(&nodes, &both[..1], 3 * GONE_FOR), Some("b".into()));
        assert_eq!(missing.longest(&nodes[..1], &both[..1], 4 * GONE_FOR), None, "it was closed");
    }
}
