use std::time::Duration;

use catga_core::{AttemptId, Fault, FaultCode, MessageId, NodeName, SessionId, Timestamp};
use catga_engine::{Directive, Effect, Verdict};
use catga_host::{Host, timeout};
use catga_journal::Journal;

use super::{End, Means, Place, Search, effect_request, goes_on_after};

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
    let counted = journal.counted(effect.id, None, effect.payload_hash);
    let mut search = Search::new(means, counted, until);
    if journal.leadership().leader.is_none() {
        tracing::info!(%node, "waiting for a leader");
    }
    let offset = loop {
        match search.place().await {
            Ok(Place::Here) => {
                let committed = deadlines.by(until, journal.commit(effect.clone())).await;
                match committed {
                    Ok(Ok(committed)) => break opened(committed.verdict)?,
                    Ok(Err(fault)) if goes_on_after(&fault) => search.failed_here(&fault),
                    Ok(Err(fault)) => return Err(fault),
                    Err(_) => {
                        return Err(no_leader(
                            start_wait,
                            "this node leads and no majority answers",
                        ));
                    }
                }
            }
            Ok(Place::There(leader)) => {
                let remaining = until.saturating_sub(host.now());
                let request = effect_request(effect.clone(), remaining);
                match search.ask(&leader, request).await {
                    Ok(Some(answered)) => {
                        let offset = answered.offset.ok_or_else(|| {
                            Fault::internal("the leader opened a session without saying where")
                        })?;
                        break offset.0;
                    }
                    Ok(None) => {}
                    Err(end) => break ended(end, start_wait)?,
                }
            }
            Err(end) => break ended(end, start_wait)?,
        }
    };
    let applied = journal.applied().reach(catga_core::Offset(offset));
    match deadlines.by(until, applied).await {
        Ok(true) => Ok(offset),
        _ => Err(Fault::new(
            FaultCode::Starting,
            format!(
                "this node has not caught up with the cluster within {start_wait:?}: it applied up \
                 to offset {} and needs {offset}",
                journal.applied().get()
            ),
        )),
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
