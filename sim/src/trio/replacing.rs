use std::time::Duration;

use catga::{MembershipError, Node};
use catga_host::Host;
use tokio::sync::oneshot;

use super::site::Site;
use crate::Violation;

/// How long a node that was taken out alive may go on: it asks once a second, and links may be cut.
const NOTICE_WAIT: Duration = Duration::from_secs(10);

/// A node that is being replaced: it is taken out of the cluster, and comes back with an empty disk.
pub(super) struct Replacing {
    /// Whose it is.
    pub(super) number: usize,
    /// What another node has been asked, if it has.
    asked: Option<oneshot::Receiver<Result<(), MembershipError>>>,
    /// When it was taken out, if it has been.
    out: Option<Duration>,
}

impl Replacing {
    pub(super) fn new(number: usize) -> Self {
        Self { number, asked: None, out: None }
    }

    /// True once the node has been taken out and its process has ended, by itself if it was alive.
    ///
    /// # Errors
    /// When it goes on long after it was taken out (I13).
    pub(super) fn is_done(
        &mut self,
        sites: &[Site],
        by: usize,
        now: Duration,
    ) -> Result<bool, Violation> {
        if self.out.is_none() && !self.is_out(sites, by) {
            return Ok(false);
        }
        let since = *self.out.get_or_insert(now);
        let site = &sites[self.number];
        if !site.serves() || site.ended()?.is_some() {
            return Ok(true);
        }
        match now.saturating_sub(since) > NOTICE_WAIT {
            true => Err(Violation::ServesOn(site.name())),
            false => Ok(false),
        }
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

async fn remove(node: Node, name: String, answer: oneshot::Sender<Result<(), MembershipError>>) {
    // Whoever asked may have gone.
    let _ = answer.send(node.cluster().remove(name).await);
}
