use std::time::Duration;

use catga_core::{Context, Event, Fault, NewEvent, encoded};
use catga_engine::{Effect, RecordedAnswer, Verdict};

use super::{Call, Committer, rejected, unencodable};
use crate::forward::{
    Answered, End, ForwardAnswer, Place, effect_request, goes_on_after, machinery_answer,
};

impl Committer {
    /// Appends an event from outside a handler to its stream, whatever else was appended.
    pub(crate) async fn append<E: Event>(&self, event: &E) -> Result<(), Fault> {
        let payload = encoded::<E::Format, _>(event);
        let payload = payload.map_err(|error| unencodable(E::NAME, error))?;
        let Some(stream) = event.stream() else {
            return Err(Fault::internal(format!("event `{}` names no stream", E::NAME)));
        };
        let mut tags = Vec::new();
        event.tags(&mut tags);
        let name = E::NAME.into();
        self.append_event(NewEvent { stream, name, schema: E::VERSION, tags, payload }).await
    }

    /// The same for an event that has no type here.
    pub(crate) async fn append_event(&self, event: NewEvent) -> Result<(), Fault> {
        let context = Context::default();
        let mut call = self.admit(&event.name, &event.payload, &context).await?;
        let effect = self.effect(&call, &context, RecordedAnswer::None, vec![event], Vec::new());
        let appended = if self.peers.is_some() {
            Box::pin(self.append_anywhere(&mut call, effect)).await
        } else {
            self.append_here(&mut call, effect).await.map(drop)
        };
        appended.inspect_err(|fault| self.heed(call.id, fault))
    }

    /// Appends it through this node's own journal; gives back where it counted.
    async fn append_here(
        &self,
        call: &mut Call<'_>,
        effect: Effect,
    ) -> Result<catga_core::Offset, Fault> {
        let (id, key) = (effect.id, effect.key.clone());
        let pending = self.propose(call, effect)?;
        match self.decided(call, pending).await?.verdict {
            Verdict::Counted { offset } | Verdict::Duplicate { of: offset } => Ok(offset),
            Verdict::Rejected(rejection) => Err(rejected(id, key.as_ref(), rejection)),
            Verdict::Conflict { .. } => {
                Err(Fault::internal("an append without a condition met a conflict"))
            }
        }
    }

    /// Appends it through whoever leads.
    async fn append_anywhere(&self, call: &mut Call<'_>, effect: Effect) -> Result<(), Fault> {
        let mut search = self.search(call);
        let ended = loop {
            match search.place().await {
                Ok(Place::Here) => match self.append_here(call, self.restamped(&effect)).await {
                    Err(fault) if goes_on_after(&fault) => search.failed_here(&fault),
                    Err(fault) => break Err(search.conclude(fault)),
                    Ok(offset) => break Ok(offset),
                },
                Ok(Place::There(leader)) => {
                    let remaining = call.until.saturating_sub(self.host.now());
                    call.set_in_doubt(true);
                    match search.ask(&leader, effect_request(effect.clone(), remaining)).await {
                        Ok(Some(answered)) => {
                            break Ok(answered.offset.unwrap_or_default());
                        }
                        Ok(None) => call.set_in_doubt(search.is_in_doubt()),
                        Err(end) => break end.into_offset(),
                    }
                }
                Err(end) => break end.into_offset(),
            }
        };
        let in_doubt = ended.as_ref().is_err_and(|_| search.is_in_doubt());
        call.set_in_doubt(in_doubt);
        let offset = ended?;
        // Whoever published it finds it on this node, as after a command.
        self.show(offset).await;
        Ok(())
    }

    /// Commits the effect of another node that needs no handler.
    pub(crate) async fn commit_forwarded(
        &self,
        effect: Effect,
        remaining: Duration,
    ) -> ForwardAnswer {
        let (id, weight) = (effect.id, effect.events.iter().map(|event| event.payload.len()).sum());
        let mut call = match self.admit_forwarded(id, weight, remaining, Box::default()).await {
            Ok(call) => call,
            Err(fault) => return machinery_answer(&*self.journal, fault),
        };
        let effect = self.restamped(&effect);
        match self.append_here(&mut call, effect).await {
            Ok(offset) => {
                let outcome = catga_journal::RecordedOutcome {
                    message_id: id,
                    refused: false,
                    payload: bytes::Bytes::new(),
                };
                ForwardAnswer::Answered(Answered { outcome, offset: Some(offset) })
            }
            Err(fault) => machinery_answer(&*self.journal, fault),
        }
    }

    /// The same effect as an attempt of this node's now.
    fn restamped(&self, effect: &Effect) -> Effect {
        let mut effect = effect.clone();
        effect.attempt = self.next_attempt(effect.id);
        effect
    }
}

impl End {
    fn into_offset(self) -> Result<catga_core::Offset, Fault> {
        match self {
            Self::Counted(offset) => Ok(offset),
            Self::Failed(fault) => Err(fault),
        }
    }
}
