use std::marker::PhantomData;

use bytes::Bytes;
use catga_core::{
    Answer, Durable, Failure, Fault, Handle, Layer, Message, MessageId, Offset, Request, Service,
    encoded,
};
use catga_engine::RecordedAnswer;
use catga_host::BoxFuture;
use catga_journal::RecordedOutcome;

use super::{DurableDispatch, Ran};
use crate::commit::{Call, unencodable};
use crate::forward::{Answered, ForwardAnswer, ForwardedCommand, Remote, machinery_answer};
use crate::node::check_incarnation;

/// Runs the handler of `M` for other nodes, by its bytes.
pub(crate) struct RemoteDispatch<M, S, E, H> {
    dispatch: DurableDispatch<S, E, H>,
    message: PhantomData<fn(M)>,
}

impl<M, S, E, H> RemoteDispatch<M, S, E, H> {
    pub(crate) fn new(dispatch: DurableDispatch<S, E, H>) -> Self {
        Self { dispatch, message: PhantomData }
    }
}

impl<M, S, E, H> Remote for RemoteDispatch<M, S, E, H>
where
    M: Request,
    S: Service + Handle<M, Scope = Durable>,
    E: Layer,
    H: Layer,
{
    fn run(&self, command: Box<ForwardedCommand>) -> BoxFuture<'_, ForwardAnswer> {
        Box::pin(self.dispatch.run_for_peer::<M>(command))
    }
}

impl<S, E, H> DurableDispatch<S, E, H> {
    async fn run_for_peer<M>(&self, command: Box<ForwardedCommand>) -> ForwardAnswer
    where
        M: Request,
        S: Service + Handle<M, Scope = Durable>,
        H: Layer,
    {
        let committer = &self.committer;
        let context = &command.context;
        if let Some(seen) = context.after
            && let Err(fault) = check_incarnation(&*committer.journal, seen)
        {
            return ForwardAnswer::failed(fault);
        }
        let remaining = context.deadline.unwrap_or(committer.limits.deadline);
        let mut call = match committer.admit_command(&command, remaining).await {
            Ok(call) => call,
            Err(fault) => return machinery_answer(&*committer.journal, fault),
        };
        let mut message = None;
        // The origin may have asked before, here or at an earlier leader.
        let looks_up = true;
        let ran = self.run_here::<M>(&mut message, &command.payload, context, &mut call, looks_up);
        match ran.await {
            Ran::Answered(answer, offset) => {
                answered::<M>(&mut call, answer, offset).unwrap_or_else(ForwardAnswer::failed)
            }
            Ran::Recalled(offset, outcome) => {
                ForwardAnswer::Answered(Answered { outcome, offset: Some(offset) })
            }
            Ran::Stopped(fault) => machinery_answer(&*committer.journal, fault),
        }
    }
}

/// The answer of a handler as it goes to the origin: what was recorded, byte for byte.
fn answered<M: Request>(
    call: &mut Call<'_>,
    answer: Answer<M::Reply, M::Error>,
    offset: Option<Offset>,
) -> Result<ForwardAnswer, Fault> {
    let proposed = call.forwarded.as_mut().map(|it| std::mem::take(&mut it.proposed));
    let answered = |refused: bool, payload: Bytes, message_id: MessageId| {
        let outcome = RecordedOutcome { message_id, refused, payload };
        ForwardAnswer::Answered(Answered { outcome, offset })
    };
    match (offset, proposed) {
        (Some(_), Some(RecordedAnswer::Reply(payload))) => Ok(answered(false, payload, call.id)),
        (Some(_), Some(RecordedAnswer::Refusal(payload))) => Ok(answered(true, payload, call.id)),
        _ => match answer {
            Err(Failure::Fault(fault)) => Err(fault),
            // An error that may pass by itself is not recorded.
            Err(Failure::Domain(error)) => {
                let payload = encoded::<M::Format, _>(&error);
                let payload = payload.map_err(|error| unencodable(<M as Message>::NAME, error))?;
                Ok(answered(true, payload, call.id))
            }
            Ok(_) => Err(Fault::internal("a reply was given and not recorded")),
        },
    }
}
