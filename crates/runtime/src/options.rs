use std::sync::Arc;
use std::time::Duration;

use catga_core::{Context, MessageId, Position, TraceContext};

/// What a call may say besides its message; [`Sending`](crate::Sending) and
/// [`Asking`](crate::Asking) have it.
///
/// The context is made at the first option: a call without options carries nothing.
pub trait CallOptions: Sized {
    /// The call's context, made if there is none yet.
    fn context_mut(&mut self) -> &mut Context;

    /// Says that the call retries the command with this id.
    #[must_use]
    fn id(mut self, id: MessageId) -> Self {
        self.context_mut().message_id = Some(id);
        self
    }

    /// A key from outside: two calls of one command with one key are one command.
    #[must_use]
    fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.context_mut().key = Some(key.into());
        self
    }

    /// Who calls.
    #[must_use]
    fn principal(mut self, principal: impl Into<Arc<str>>) -> Self {
        self.context_mut().principal = Some(principal.into());
        self
    }

    /// On whose behalf.
    #[must_use]
    fn tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.context_mut().tenant = Some(tenant.into());
        self
    }

    /// What the call belongs to.
    #[must_use]
    fn correlation(mut self, correlation: impl Into<Arc<str>>) -> Self {
        self.context_mut().correlation = Some(correlation.into());
        self
    }

    /// The trace that the call is part of.
    #[must_use]
    fn trace(mut self, trace: TraceContext) -> Self {
        self.context_mut().trace = Some(trace);
        self
    }

    /// How long the caller waits.
    #[must_use]
    fn deadline(mut self, deadline: Duration) -> Self {
        self.context_mut().deadline = Some(deadline);
        self
    }

    /// What the caller has seen: nothing older answers.
    #[must_use]
    fn after(mut self, position: Position) -> Self {
        self.context_mut().after = Some(position);
        self
    }

    /// The whole context at once.
    #[must_use]
    fn context(mut self, context: Context) -> Self {
        *self.context_mut() = context;
        self
    }
}
