use std::time::Duration;

use catga_core::{AttemptId, Fault, FaultCode, MessageId, NodeName, SessionId, Timestamp};
use catga_engine::{Directive, Effect, Verdict};
use catga_host::{Host, timeout};
use catga_journal::Journal;

use super::{End, Means, Place, Search, effect_request, goes_on_after};

/// How soon a leader is asked again that could not take a session.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Opens the session of this start of `node` in the journal; through whoever leads, where `means`
/// says how to find it.
///
/// # Errors
/// When the journal does not take it within `start_wait`, or no leader does.
pub(crate) async fn open_session(
    host: &dyn Host,
    journal: &dyn Journal,
    node: &NodeName,
    means: Option<Means<'_>>,
    start_wait: Duration,
) -> Result<SessionId, Fault> {
    let effect = opening(host, node);
    let offset = match means {
        Some(means) => Box::pin(anywhere(means, effect, start_wait)).await?,
        None => {
            let committed = timeout(host, start_wait, journal.commit(effect));
            let committed = committed.await.map_err(|_| {
                let message = "the journal did not answer when the session was opened";
                Fault::new(FaultCode::LogUnavailable, message)
            })??;
            opened(committed.verdict)?
        }
    };
    Ok(SessionId(offset))
}

fn opening(host: &dyn Host, node: &NodeName) -> Effect {
    let nonce = host.random();
    let id = MessageId::new(SessionId::default(), nonce);
    let mut effect = Effect::new(id, AttemptId { message: id, term: 0, sequence: 0 });
    effect.at = Timestamp::from_millis(host.wall_ms());
    effect.directive = Some(Directive::OpenSession { node: node.as_str().to_owned(), nonce });
    effect
}

fn opened(verdict: Verdict) -> Result<u64, Fault> {
    match verdict {
        Verdict::Counted { offset } | Verdict::Duplicate { of: offset } => Ok(offset.0),
        verdict => {
            let message = format!("the journal did not open a session: {verdict:?}");
            Err(Fault::new(FaultCode::LogUnavailable, message))
        }
    }
}

/// Opens it through whoever leads, and waits until this node has applied that it is open.
///
/// The effect stands behind everything that was acknowledged before this start, so a node that has
/// applied it has caught up with what anybody may have seen: it is as good as a read index.
async fn anywhere(means: Means<'_>, effect: Effect, start_wait: Duration) -> Result<u64, Fault> {
    let Means { host, journal, deadlines, node, .. } = means;
    let until = host.now().saturating_add(start_wait);
    if journal.leadership().leader.is_none() {
        tracing::info!(%node, "waiting for a leader");
    }
    let offset = loop {
        let opened = at_a_leader(means, &effect, until, start_wait).await;
        // No leader takes in whom the cluster has taken out, however often it asks.
        if let (Err(_), Some(why)) = (&opened, journal.failure()) {
            return Err(why);
        }
        match opened {
            // The leader's disk is full, or it has too much to do: that passes. Should an attempt
            // before have counted, it has the same id.
            Err(fault)
                if fault.is_retryable() && host.now().saturating_add(AGAIN_AFTER) < until =>
            {
                tracing::info!(%node, %fault, "not taken in yet");
                host.sleep(AGAIN_AFTER).await;
            }
            opened => break opened?,
        }
    };
    let applied = journal.applied().reach(catga_core::Offset(offset));
    match deadlines.by(until, applied).await {
        Ok(true) => Ok(offset),
        // Why the journal stopped says more than that it did not come so far.
        _ => Err(journal.failure().unwrap_or_else(|| {
            let has = journal.applied().get();
            let message = format!(
                "this node has not caught up with the cluster within {start_wait:?}: it applied up \
                 to offset {has} and needs {offset}"
            );
            Fault::new(FaultCode::Starting, message)
        })),
    }
}

/// Opens it through whoever leads; where it stands then.
async fn at_a_leader(
    means: Means<'_>,
    effect: &Effect,
    until: Duration,
    start_wait: Duration,
) -> Result<u64, Fault> {
    let Means { host, journal, deadlines, .. } = means;
    let counted = journal.counted(effect.id, None, effect.payload_hash);
    let mut search = Search::new(means, counted, until);
    loop {
        match search.place().await {
            Ok(Place::Here) => {
                tracing::debug!("opening a session here");
                let committed = deadlines.by(until, journal.commit(effect.clone())).await;
                match committed {
                    Ok(Ok(committed)) => return opened(committed.verdict),
                    Ok(Err(fault)) if goes_on_after(&fault) => search.failed_here(&fault),
                    Ok(Err(fault)) => return Err(fault),
                    Err(_) => {
                        let why = "this node leads and no majority answers";
                        return Err(no_leader(start_wait, why));
                    }
                }
            }
            Ok(Place::There(leader)) => {
                tracing::debug!(%leader, "opening a session");
                let remaining = until.saturating_sub(host.now());
                let request = effect_request(effect.clone(), remaining);
                match search.ask(&leader, request).await {
                    Ok(Some(answered)) => {
                        let offset = answered.offset.ok_or_else(|| {
                            Fault::internal("the leader opened a session without saying where")
                        })?;
                        return Ok(offset.0);
                    }
                    Ok(None) => {}
                    Err(end) => return ended(end, start_wait),
                }
            }
            Err(end) => return ended(end, start_wait),
        }
    }
}

fn ended(end: End, start_wait: Duration) -> Result<u64, Fault> {
    match end {
        End::Counted(offset) => Ok(offset.0),
        End::Failed(fault) => match fault.code() {
            FaultCode::DeadlineBeforeStart | FaultCode::DeadlineInDoubt => {
                Err(no_leader(start_wait, fault.message()))
            }
            _ => Err(fault),
        },
    }
}

#[cold]
fn no_leader(start_wait: Duration, why: &str) -> Fault {
    Fault::new(
        FaultCode::LogUnavailable,
        format!(
            "no leader took this node in within {start_wait:?} ({why}); see that a majority of the \
             members runs, and that they reach each other"
        ),
    )
}
