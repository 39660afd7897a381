use bytes::Bytes;
use catga_core::{
    Answer, Context, Durable, Failure, Fault, Handle, Layer, Offset, Report, Request, Service,
};
use catga_journal::RecordedOutcome;

use super::outcome::decode_outcome;
use super::{DurableDispatch, Ran};
use crate::commit::Call;
use crate::forward::{Answered, End, Place, command_request, goes_on_after};

/// How a command ended, wherever it ran.
enum Ended<R, E> {
    /// This node ran it, or knew it.
    Here(Ran<R, E>),
    /// The leader answered.
    There(Answered),
}

impl<S, E, H> DurableDispatch<S, E, H> {
    /// Runs the command on whichever node leads, until it is answered or its caller stops waiting.
    ///
    /// `failed` is why this node could not go on with it, if it has tried.
    pub(super) async fn anywhere<M>(
        &self,
        message: &mut Option<M>,
        payload: &Bytes,
        context: &Context,
        (mut call, mut looks_up): (Call<'_>, bool),
        failed: Option<Fault>,
        report: &mut Report,
    ) -> Answer<M::Reply, M::Error>
    where
        M: Request,
        S: Service + Handle<M, Scope = Durable>,
        H: Layer,
    {
        let committer = &self.committer;
        let mut search = committer.search(&call);
        if let Some(fault) = failed {
            search.failed_here(&fault);
            looks_up = true;
        }
        let ended = loop {
            match search.place().await {
                Ok(Place::Here) => {
                    let run = self.run_here(message, payload, context, &mut call, looks_up);
                    match run.await {
                        Ran::Stopped(fault) if goes_on_after(&fault) => {
                            search.failed_here(&fault);
                        }
                        Ran::Stopped(fault) => {
                            break Ended::Here(Ran::Stopped(search.conclude(fault)));
                        }
                        ran => break Ended::Here(ran),
                    }
                }
                Ok(Place::There(leader)) => {
                    let remaining = call.until.saturating_sub(committer.host.now());
                    let (command, marks) = ((call.id, call.at), committer.marks(&call));
                    let request =
                        command_request(M::NAME, payload, command, marks, context, remaining);
                    // Also if this future is dropped while it waits.
                    call.set_in_doubt(true);
                    match search.ask(&leader, request).await {
                        Ok(Some(answered)) => break Ended::There(answered),
                        Ok(None) => call.set_in_doubt(search.is_in_doubt()),
                        Err(end) => break Ended::Here(self.came_to_an_end(end).await),
                    }
                }
                Err(end) => break Ended::Here(self.came_to_an_end(end).await),
            }
            looks_up = true;
        };
        match ended {
            Ended::Here(Ran::Answered(answer, None)) => {
                // A fault of the handler's own, or what is not recorded: an earlier attempt may
                // have counted all the same.
                call.set_in_doubt(search.is_in_doubt());
                answer.map_err(|failure| match failure {
                    Failure::Fault(fault) => Failure::Fault(search.conclude(fault)),
                    refusal @ Failure::Domain(_) => refusal,
                })
            }
            Ended::Here(Ran::Answered(answer, Some(offset))) => {
                call.set_in_doubt(false);
                self.settle(offset, report).await;
                answer
            }
            Ended::Here(Ran::Recalled(offset, outcome)) => {
                call.set_in_doubt(false);
                self.recall::<M>(offset, &outcome, report).await
            }
            Ended::Here(Ran::Stopped(fault)) => {
                call.set_in_doubt(search.is_in_doubt());
                Err(Failure::Fault(fault))
            }
            Ended::There(Answered { outcome, offset }) => {
                call.set_in_doubt(offset.is_none() && search.is_in_doubt());
                match offset {
                    Some(offset) => self.settle_after(offset, &outcome, report).await,
                    None => report.message_id = outcome.message_id,
                }
                decode_outcome::<M>(&outcome)
            }
        }
    }

    async fn came_to_an_end<R, X>(&self, end: End) -> Ran<R, X> {
        match end {
            End::Failed(fault) => Ran::Stopped(fault),
            End::Counted(offset) => match self.committer.journal.outcome(offset).await {
                Ok(outcome) => Ran::Recalled(offset, outcome),
                Err(fault) => Ran::Stopped(fault),
            },
        }
    }

    /// Reports on what counted at `offset`, once this node shows it, which another has decided.
    async fn settle_after(&self, offset: Offset, outcome: &RecordedOutcome, report: &mut Report) {
        // By key, the command that counted may have come with another id than this call.
        report.message_id = outcome.message_id;
        report.position = Some(self.committer.position(offset));
        let until = self.committer.host.now().saturating_add(self.committer.limits.visible_wait);
        let shown = async {
            self.committer.journal.applied().reach(offset).await;
            self.views.reach(offset).await;
        };
        report.visible = self.committer.deadlines.by(until, shown).await.is_ok();
    }
}
