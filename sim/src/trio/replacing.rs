use std::time::Duration;

use catga::prelude::*;
use catga::{MembershipError, ReadLevel};
use catga_host::Host;
use tokio::sync::oneshot;

use super::site::Site;
use crate::Violation;
use crate::invariants::{Evaluations, serves_on, serves_reads};
use crate::unruly::GetNoted;

/// A node that is being replaced: it is taken out of the cluster, and comes back with an empty disk.
pub(super) struct Replacing {
    /// Whose it is.
    pub(super) number: usize,
    /// What another node has been asked, if it has.
    asked: Option<oneshot::Receiver<Result<(), MembershipError>>>,
    /// When it was taken out, if it has been.
    out: Option<Duration>,
    /// A read that it was asked since, and whether it was answered.
    read: Option<oneshot::Receiver<bool>>,
}

impl Replacing {
    pub(super) fn new(number: usize) -> Self {
        Self { number, asked: None, out: None, read: None }
    }

    /// True once the node has been taken out and its process has ended, by itself if it was alive.
    ///
    /// # Errors
    /// When it goes on long after it was taken out, or serves linearizable reads (I13).
    pub(super) fn is_done(
        &mut self,
        sites: &[Site],
        by: usize,
        now: Duration,
        evaluated: &mut Evaluations,
    ) -> Result<bool, Violation> {
        if self.out.is_none() && !self.is_out(sites, by) {
            return Ok(false);
        }
        let since = *self.out.get_or_insert(now);
        let site = &sites[self.number];
        self.is_served(site, evaluated)?;
        serves_on(&site.name(), now.saturating_sub(since), evaluated)?;
        if !site.serves() || site.ended()?.is_some() {
            return Ok(true);
        }
        if self.read.is_none() {
            self.read = site.node().map(|node| {
                let (answer, read) = oneshot::channel();
                drop(site.host.spawn("read", Box::pin(read_at(node, answer))));
                read
            });
        }
        Ok(false)
    }

    /// Judges the last read, if it has ended.
    fn is_served(&mut self, site: &Site, evaluated: &mut Evaluations) -> Result<(), Violation> {
        let ended = match self.read.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Ok(is_answered)) => Some(is_answered),
            Some(Err(oneshot::error::TryRecvError::Closed)) => Some(false),
            Some(Err(oneshot::error::TryRecvError::Empty)) | None => None,
        };
        let Some(is_answered) = ended else { return Ok(()) };
        self.read = None;
        serves_reads(&site.name(), is_answered, evaluated)
    }

    /// True once the node has been taken out. Until then it asks another one, again and again.
    fn is_out(&mut self, sites: &[Site], by: usize) -> bool {
        match self.asked.as_mut().map(oneshot::Receiver::try_recv) {
            // Its answer to an earlier request may have been lost.
            Some(Ok(Ok(()) | Err(MembershipError::NoSuchMember { .. }))) => return true,
            Some(Err(oneshot::error::TryRecvError::Empty)) => return false,
            // Refused for now, in doubt, or the one that was asked is dead.
            Some(Ok(Err(_)) | Err(oneshot::error::TryRecvError::Closed)) | None => {}
        }
        self.asked = (by != self.number).then(|| sites[by].node()).flatten().map(|node| {
            let (answer, asked) = oneshot::channel();
            let name = sites[self.number].name();
            drop(sites[by].host.spawn("remove", Box::pin(remove(node, name, answer))));
            asked
        });
        false
    }
}

async fn read_at(node: Node, answer: oneshot::Sender<bool>) {
    let asked = node.ask(GetNoted).level(ReadLevel::Linearizable);
    // Whoever asked may have gone.
    let _ = answer.send(asked.await.is_ok());
}

async fn remove(node: Node, name: String, answer: oneshot::Sender<Result<(), MembershipError>>) {
    // Whoever asked may have gone.
    let _ = answer.send(node.cluster().remove(name).await);
}
