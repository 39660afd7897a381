mod anywhere;
mod calls;
mod outcome;
mod remote;

pub(crate) use self::remote::RemoteDispatch;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use bytes::Bytes;
use catga_core::{
    Answer, CatchPanic, Context, Dispatch, DomainError, Durable, Envelope, Failure, Fault,
    FaultCode, Format, Handle, Layer, NO_CONTEXT, Offset, Report, Request, Service, Slot, Source,
    Tx, check, encoded, handler_panicked,
};
use catga_engine::{RecordedAnswer, Verdict};
use catga_journal::planted::Planted;
use catga_journal::{Pending, RecordedOutcome};

use self::calls::{EdgeCall, HandlerCall};
use self::outcome::{blind, decode_outcome, undecodable};
use crate::commit::{Call, Committer, Known, rejected, too_late, unencodable};
use crate::forward::goes_on_after;
use crate::metrics::{Ended, HandlerMetrics};
use crate::node::check_incarnation;
use crate::views::Views;

/// Runs handlers that take a transaction: once per command at least, and its effect counts once.
pub(crate) struct DurableDispatch<S, E, H> {
    pub(crate) service: Arc<S>,
    /// Once per call.
    pub(crate) edge: Arc<E>,
    /// Once per attempt.
    pub(crate) handlers: Arc<H>,
    pub(crate) committer: Arc<Committer>,
    pub(crate) views: Views,
    pub(crate) metrics: HandlerMetrics,
}

/// What running a command on this node came to.
enum Ran<R, E> {
    /// This is the handler's answer, and where it stands; nowhere if it is of a kind that is not
    /// recorded.
    Answered(Answer<R, E>, Option<Offset>),
    /// The command has counted before, with this answer.
    Recalled(Offset, RecordedOutcome),
    /// It came to no answer; no handler said so.
    Stopped(Fault),
}

impl<R, E> Ran<R, E> {
    /// True if the handler panicked.
    fn has_panicked(&self) -> bool {
        let Self::Answered(Err(Failure::Fault(fault)), _) = self else { return false };
        fault.code() == FaultCode::Panicked
    }
}

/// What an attempt came to.
enum Attempted<R, E> {
    Ran(Ran<R, E>),
    /// It conflicted with what stands at the offset.
    Conflicted(Offset),
}

impl<M, S, E, H> Dispatch<M> for DurableDispatch<S, E, H>
where
    M: Request,
    S: Service + Handle<M, Scope = Durable>,
    E: Layer,
    H: Layer,
{
    fn start<'a>(
        &'a self,
        message: M,
        envelope: Option<Box<Envelope>>,
        slot: Pin<&mut Slot<'a, Answer<M::Reply, M::Error>>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Answer<M::Reply, M::Error>> {
        let mut message = Some(message);
        slot.start(cx, || async move {
            let context = envelope.as_ref().map_or(&NO_CONTEXT, |envelope| &envelope.context);
            let started = self.committer.host.now();
            let mut report = None;
            let message = &mut message;
            let call = EdgeCall { dispatch: self, message, context, report: &mut report };
            let answer = match CatchPanic::new(self.edge.around(call)).await {
                Ok(answer) => answer,
                Err(panic) => handler_panicked::<M, _, _>(&panic),
            };
            let took = self.committer.host.now().saturating_sub(started);
            self.metrics.record(ended(&answer), took);
            log::<M>(&answer, report.as_ref(), took);
            if let (Err(Failure::Fault(fault)), Some(report)) = (&answer, &report) {
                self.committer.heed(report.message_id, fault);
            }
            if let (Some(report), Some(envelope)) = (report, &envelope)
                && let Some(cell) = &envelope.report
            {
                // It is set once: a call is dispatched once.
                let _ = cell.set(report);
            }
            answer
        })
    }
}

impl<S, E, H> DurableDispatch<S, E, H> {
    /// The command within the edge layers: admitted, looked up, and run until its effect is
    /// decided, here or on whichever node leads.
    ///
    /// What is rare stands in futures of its own, behind pointers: this one is moved about for
    /// every command. So is the message, which stays in one place until its handler takes it.
    async fn execute<M>(
        &self,
        message: &mut Option<M>,
        context: &Context,
        report: &mut Option<Report>,
    ) -> Answer<M::Reply, M::Error>
    where
        M: Request,
        S: Service + Handle<M, Scope = Durable>,
        H: Layer,
    {
        let committer = &self.committer;
        check(held(message))?;
        if let Some(seen) = context.after {
            check_incarnation(&*committer.journal, seen)?;
        }
        let payload = encoded::<M::Format, _>(held(message));
        let payload = payload.map_err(|error| unencodable(M::NAME, error))?;
        let mut call = committer.admit(M::NAME, &payload, context).await?;
        let report = report.insert(Report::new(call.id));
        let looks_up = !call.is_nobody_elses(context.message_id.is_some());
        let mut failed = None;
        if committer.runs_here() {
            match self.run_here(message, &payload, context, &mut call, looks_up).await {
                Ran::Answered(answer, None) => return answer,
                Ran::Answered(answer, Some(offset)) => {
                    self.settle(offset, report).await;
                    return answer;
                }
                Ran::Recalled(offset, outcome) => {
                    return Box::pin(self.recall::<M>(offset, &outcome, report)).await;
                }
                Ran::Stopped(fault) if committer.peers.is_none() || !goes_on_after(&fault) => {
                    return Err(Failure::Fault(fault));
                }
                Ran::Stopped(fault) => failed = Some(fault),
            }
        }
        Box::pin(self.anywhere(message, &payload, context, (call, looks_up), failed, report)).await
    }

    /// Runs the command on this node, until its effect is decided or nothing more can be done here.
    async fn run_here<M>(
        &self,
        message: &mut Option<M>,
        payload: &Bytes,
        context: &Context,
        call: &mut Call<'_>,
        looks_up: bool,
    ) -> Ran<M::Reply, M::Error>
    where
        M: Request,
        S: Service + Handle<M, Scope = Durable>,
        H: Layer,
    {
        let committer = &self.committer;
        let flight = if looks_up {
            match Box::pin(committer.known(call)).await {
                Ok(Known::Answered(offset, outcome)) => return Ran::Recalled(offset, outcome),
                Ok(Known::Run(flight)) => Some(flight),
                Err(fault) => return Ran::Stopped(fault),
            }
        } else {
            None
        };
        let mut last_conflict = None;
        for run in 0..=committer.limits.reruns {
            if run > 0 {
                self.metrics.reruns.inc();
            }
            if let Err(fault) = self.catch_up(call, context, last_conflict).await {
                return Ran::Stopped(fault);
            }
            if message.is_none() {
                match M::Format::decode(payload) {
                    Ok(again) => *message = Some(again),
                    Err(error) => return Ran::Stopped(undecodable::<M>(call, &error)),
                }
            }
            match self.attempt::<M>(message, context, call).await {
                Attempted::Ran(ran) => {
                    if Planted::PanicStaysUnderWay.is_here() && ran.has_panicked() {
                        std::mem::forget(flight);
                    }
                    return ran;
                }
                // The same conflict again: the handler does not look at what it conflicts with.
                Attempted::Conflicted(at) if last_conflict == Some(at) => {
                    return Ran::Stopped(blind::<M>(at));
                }
                Attempted::Conflicted(at) => last_conflict = Some(at),
            }
        }
        Ran::Stopped(Fault::new(
            FaultCode::Contention,
            format!(
                "`{}` met other commands {} times in a row and has no effect; try again",
                M::NAME,
                committer.limits.reruns + 1
            ),
        ))
    }

    /// Waits until this node's engine and the service's views hold what was committed when the
    /// command arrived, what its caller has seen, and what an earlier attempt conflicted with:
    /// a lagging view could refuse what was acknowledged already.
    async fn catch_up(
        &self,
        call: &Call<'_>,
        context: &Context,
        conflict: Option<Offset>,
    ) -> Result<(), Fault> {
        let committer = &self.committer;
        let mut wanted = committer.journal.applied().get();
        if let Some(seen) = context.after {
            wanted = wanted.max(seen.offset);
        }
        wanted = wanted.max(conflict.unwrap_or_default());
        let applied = committer.journal.applied();
        // Nearly always, and then no clock is asked.
        if applied.get() >= wanted && self.views.are_nearly_at(wanted).await {
            return Ok(());
        }
        let reached = async {
            applied.reach(wanted).await;
            self.views.reach(wanted).await;
        };
        let until =
            call.until.min(committer.host.now().saturating_add(committer.limits.visible_wait));
        committer.deadlines.by(until, reached).await.map_err(|_| {
            Fault::new(
                FaultCode::PositionNotReached,
                format!(
                    "this node has not reached offset {wanted} in time, which the command must \
                     not be decided without; try again"
                ),
            )
        })
    }

    /// Runs the handler once and commits what it decided.
    async fn attempt<M>(
        &self,
        message: &mut Option<M>,
        context: &Context,
        call: &mut Call<'_>,
    ) -> Attempted<M::Reply, M::Error>
    where
        M: Request,
        S: Service + Handle<M, Scope = Durable>,
        H: Layer,
    {
        let committer = &self.committer;
        let views = self.views.offset(committer.journal.applied().get());
        let source: Arc<dyn Source> = committer.clone();
        let incarnation = committer.journal.incarnation();
        let mut tx = Tx::new(call.id, incarnation, call.at, views, context.clone(), source);
        let handled = HandlerCall { service: &*self.service, message, context, tx: &mut tx };
        let handled = CatchPanic::new(self.handlers.around(handled));
        let answer = match committer.deadlines.by(call.until, handled).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => handler_panicked::<M, _, _>(&panic),
            Err(_) => return Attempted::Ran(Ran::Stopped(too_late())),
        };
        // Outside any future: the effect is large, and gone when there is something to wait for.
        let pending = match self.propose::<M>(&answer, tx, context, call) {
            Ok(Some(pending)) => pending,
            Ok(None) => return Attempted::Ran(Ran::Answered(answer, None)),
            Err(fault) => return Attempted::Ran(Ran::Stopped(fault)),
        };
        let verdict = committer.decided(call, pending).await.map(|committed| committed.verdict);
        Attempted::Ran(match verdict {
            Ok(Verdict::Counted { offset }) => Ran::Answered(answer, Some(offset)),
            Ok(Verdict::Duplicate { of }) => match committer.journal.outcome(of).await {
                Ok(outcome) => Ran::Recalled(of, outcome),
                Err(fault) => Ran::Stopped(fault),
            },
            Ok(Verdict::Conflict { at, .. }) => return Attempted::Conflicted(at),
            Ok(Verdict::Rejected(rejection)) => {
                Ran::Stopped(rejected(call.id, call.key.as_ref(), rejection))
            }
            Err(fault) => Ran::Stopped(fault),
        })
    }

    /// Sends the effect of an attempt on its way; none if the answer is of a kind that is not
    /// recorded.
    fn propose<M: Request>(
        &self,
        answer: &Answer<M::Reply, M::Error>,
        tx: Tx,
        context: &Context,
        call: &mut Call<'_>,
    ) -> Result<Option<Pending>, Fault> {
        let committer = &self.committer;
        let bytes = match answer {
            Ok(reply) => encoded::<M::Format, _>(reply),
            Err(Failure::Domain(error)) if !error.is_transient() => encoded::<M::Format, _>(error),
            Err(_) => return Ok(None),
        };
        let bytes = bytes.map_err(|error| unencodable(M::NAME, error))?;
        let mut staged = tx.finish()?;
        if answer.is_err() {
            // A refusal changes nothing; what it depends on still has to hold.
            staged.events.clear();
        }
        let limit = committer.limits.answer_bytes;
        let largest = staged.events.iter().map(|event| event.payload.len()).max().unwrap_or(0);
        if bytes.len().max(largest) > limit {
            return Err(Fault::new(
                FaultCode::AnswerTooLarge,
                format!(
                    "the handler of `{}` made an answer or an event of {} bytes, and the limit is \
                     {limit}",
                    M::NAME,
                    bytes.len().max(largest)
                ),
            ));
        }
        let recorded = if answer.is_ok() {
            RecordedAnswer::Reply(bytes)
        } else {
            RecordedAnswer::Refusal(bytes)
        };
        if let Some(forwarded) = &mut call.forwarded {
            forwarded.proposed = recorded.clone();
        }
        let effect = committer.effect(call, context, recorded, staged.events, staged.conditions);
        committer.propose(call, effect).map(Some)
    }

    /// The answer that was recorded for this command at `offset`.
    async fn recall<M: Request>(
        &self,
        offset: Offset,
        outcome: &RecordedOutcome,
        report: &mut Report,
    ) -> Answer<M::Reply, M::Error> {
        // By key, the command that counted may have come with another id than this call.
        report.message_id = outcome.message_id;
        self.settle(offset, report).await;
        decode_outcome::<M>(outcome)
    }

    /// Waits a bounded time until the service's views show the effect, and reports on it.
    async fn settle(&self, offset: Offset, report: &mut Report) {
        let committer = &self.committer;
        report.position = Some(committer.position(offset));
        report.visible = self.views.are_nearly_at(offset).await || {
            let until = committer.host.now().saturating_add(committer.limits.visible_wait);
            committer.deadlines.by(until, self.views.reach(offset)).await.is_ok()
        };
    }
}

/// The message of a call whose handler has not taken it yet.
fn held<M>(message: &Option<M>) -> &M {
    message.as_ref().expect("a call has its message until the handler takes it")
}

fn ended<R, E>(answer: &Answer<R, E>) -> Ended {
    match answer {
        Ok(_) => Ended::Done,
        Err(Failure::Domain(_)) => Ended::Refused,
        Err(Failure::Fault(_)) => Ended::Failed,
    }
}

fn log<M: Request>(
    answer: &Answer<M::Reply, M::Error>,
    report: Option<&Report>,
    took: std::time::Duration,
) {
    let id = report.map(|report| tracing::field::display(report.message_id));
    let duration_ms = took.as_secs_f64() * 1e3;
    match answer {
        Ok(_) => tracing::info!(command = M::NAME, id, duration_ms, "done"),
        Err(Failure::Domain(error)) => {
            tracing::info!(command = M::NAME, id, duration_ms, code = error.code(), "refused");
        }
        Err(Failure::Fault(fault)) => {
            tracing::warn!(command = M::NAME, id, duration_ms, %fault, "failed");
        }
    }
}
