use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use catga_core::NodeName;
use catga_host::{Host, timeout};
use futures_util::future::join_all;

use super::founder::Founder;
use super::messages::{self, Introduction};
use super::{Charter, Founding, FoundingError};
use crate::{CallError, LinkState, Peer, Peers, Recipient, Topic};

/// How long another member may take to answer: its disk syncs a file meanwhile.
const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// How soon members are asked again that were not there, or not ready.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How often those who wait are told for whom.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How long a member may refuse this node: a former process may still have its port for a moment.
const REFUSED_FOR: Duration = Duration::from_secs(3);

/// Takes part in the founding until this node has the charter of its cluster and, where it is the
/// one to make the cluster, all others have it too. A node whose `own` address is not among the
/// members waits until they have founded it. Waits `patience` for members that are missing;
/// for none where this node `begun` to keep a log, since they had it by then.
///
/// # Errors
/// See [`FoundingError`]: what waiting does not mend, or has not mended.
///
/// # Cancel safety
/// What was agreed stays so; called again, it goes on from there.
pub(crate) async fn found(
    host: &dyn Host,
    peers: &dyn Peers,
    founder: &Founder,
    own: &str,
    begun: bool,
    patience: Duration,
) -> Result<Charter, FoundingError> {
    let mut waiting = Waiting::since(host.now());
    let mut adopted = founder.adopted();
    loop {
        adopted.mark_unchanged();
        let mut missing = Vec::new();
        let charter = match founder.charter() {
            Some(charter) => Some(charter),
            None => agree(host, peers, founder, own, &mut missing).await?,
        };
        if let Some(charter) = charter {
            if begun || !charter.is_made_by(founder.me()) {
                return Ok(charter);
            }
            missing = spread(peers, &charter).await;
            if missing.is_empty() {
                return Ok(charter);
            }
        }
        waiting.tell(host.now(), patience, missing)?;
        // Another one may come with a charter meanwhile.
        let _ = timeout(host, AGAIN_AFTER, adopted.changed()).await;
    }
}

/// Hears from all others; the charter, if there is one now. Adds to `missing` who did not answer.
async fn agree(
    host: &dyn Host,
    peers: &dyn Peers,
    founder: &Founder,
    own: &str,
    missing: &mut Vec<Missing>,
) -> Result<Option<Charter>, FoundingError> {
    let hello = founder.introduction().encode();
    let others = founder.members().iter().filter(|member| *member != own);
    let asked = others.map(|address| introduce(peers, address, hello.clone()));
    let is_member = founder.members().iter().any(|member| member == own);
    let mut members = BTreeMap::new();
    for heard in join_all(asked).await {
        let (peer, said, address) = match heard {
            Ok(heard) => heard,
            Err(why) => {
                missing.push(why);
                continue;
            }
        };
        if let Some(charter) = said.charter {
            founder.adopt(&charter).await?;
            return Ok(Some(charter));
        }
        if !is_member {
            missing.push(Missing { address, why: "it has not begun".to_owned(), refused: false });
            continue;
        }
        if said.members != founder.members() {
            let (theirs, ours) = (said.members, founder.members().to_vec());
            return Err(FoundingError::Disagree { name: peer.name, theirs, ours });
        }
        add(&mut members, &peer, &address, said.version)?;
    }
    add(&mut members, founder.me(), own, founder.version())?;
    if !missing.is_empty() || members.keys().next() != Some(&founder.me().name) {
        return Ok(None);
    }
    let (cluster, incarnation) = (founder.cluster().to_owned(), host.random());
    let charter = Charter { cluster, incarnation, members };
    founder.adopt(&charter).await?;
    Ok(Some(charter))
}

fn add(
    members: &mut BTreeMap<NodeName, Founding>,
    peer: &Peer,
    address: &str,
    version: u32,
) -> Result<(), FoundingError> {
    let (id, store, address) = (peer.id, peer.store, address.to_owned());
    let founding = Founding { id, store, address, version };
    match members.insert(peer.name.clone(), founding) {
        None => Ok(()),
        Some(_) => Err(FoundingError::SameName { name: peer.name.clone() }),
    }
}

/// What the node at `address` says of itself.
async fn introduce(
    peers: &dyn Peers,
    address: &str,
    hello: Bytes,
) -> Result<(Peer, Introduction, String), Missing> {
    let missing = |why: String| Missing { address: address.to_owned(), why, refused: false };
    let at = address.into();
    let peer = match peers.link(&at).borrow().clone() {
        LinkState::Up(peer) => peer,
        LinkState::Refused(why) => {
            return Err(Missing { address: address.to_owned(), why, refused: true });
        }
        _ => return Err(missing("it cannot be reached".to_owned())),
    };
    let to = Recipient { address: at, id: Some(peer.id) };
    let answer = peers.call(&to, Topic::Membership, vec![hello], ANSWER_WAIT).await;
    let answer = answer.map_err(|error| missing(error.to_string()))?;
    match Introduction::read(answer) {
        Ok(said) => Ok((peer, said, address.to_owned())),
        Err(error) => Err(missing(format!("it did not introduce itself: {error}"))),
    }
}

/// Has all others write the charter; who has not.
async fn spread(peers: &dyn Peers, charter: &Charter) -> Vec<Missing> {
    let message = messages::adopt(charter);
    let others = charter.members.values().skip(1).map(|member| {
        let to = Recipient { address: member.address.as_str().into(), id: Some(member.id) };
        let call = peers.call(&to, Topic::Membership, vec![message.clone()], ANSWER_WAIT);
        async move {
            let answer = call.await.and_then(|answer| {
                messages::read_adopted(answer).map_err(|error| CallError::Lost(error.to_string()))
            });
            let missing = |error: CallError| Missing {
                address: member.address.clone(),
                why: format!("it has not written down the members: {error}"),
                refused: false,
            };
            answer.err().map(missing)
        }
    });
    join_all(others).await.into_iter().flatten().collect()
}

/// A member that is not there.
struct Missing {
    address: String,
    why: String,
    /// It is there, and there will be no link.
    refused: bool,
}

/// How long this node has waited, and for whom.
struct Waiting {
    began: Duration,
    told: Duration,
    /// Since when members have refused, as it was last seen.
    refused: BTreeMap<String, Duration>,
}

impl Waiting {
    fn since(now: Duration) -> Self {
        Self { began: now, told: now, refused: BTreeMap::new() }
    }

    /// Says from time to time who is missing, or that it has waited long enough.
    fn tell(
        &mut self,
        now: Duration,
        patience: Duration,
        missing: Vec<Missing>,
    ) -> Result<(), FoundingError> {
        self.refused.retain(|address, _| {
            missing.iter().any(|missing| missing.refused && missing.address == *address)
        });
        for refused in missing.iter().filter(|missing| missing.refused) {
            let since = *self.refused.entry(refused.address.clone()).or_insert(now);
            if now - since >= REFUSED_FOR {
                let (address, why) = (refused.address.clone(), refused.why.clone());
                return Err(FoundingError::Refused { address, why });
            }
        }
        let told = |missing: Missing| format!("{}: {}", missing.address, missing.why);
        if now - self.began >= patience {
            let (waited, missing) = (patience, missing.into_iter().map(told).collect());
            return Err(FoundingError::Missing { waited, missing });
        }
        if now - self.told >= TELL_EVERY {
            self.told = now;
            let missing: Vec<_> = missing.into_iter().map(told).collect();
            tracing::warn!(?missing, "the cluster has not begun: waiting for members");
        }
        Ok(())
    }
}
