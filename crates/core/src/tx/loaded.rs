use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{Expect, Shared, unreadable};
use crate::{Aggregate, Fault, Folds, StreamEvent, StreamName};

/// An aggregate that a transaction loaded: its state, and the way to go on in its stream.
///
/// It owns its handle on the transaction, so that several can be open at once.
pub struct Loaded<A> {
    pub(super) state: A,
    pub(super) version: u64,
    pub(super) stream: StreamName,
    pub(super) shared: Arc<Shared>,
}

impl<A: Aggregate> Loaded<A> {
    /// Records `event` in this stream and folds it into the state.
    ///
    /// An event whose own key names another stream makes the command fail.
    pub fn emit<E: StreamEvent<Stream = A>>(&mut self, event: E)
    where
        A: Folds<E>,
    {
        let named = event.stream();
        if named.as_ref() != Some(&self.stream) {
            let named = named.as_ref().map_or("none", StreamName::as_str);
            let message =
                format!("event `{}` belongs to stream {named}, not to {}", E::NAME, self.stream);
            self.shared.staged().error.get_or_insert_with(|| Fault::internal(message));
            return;
        }
        self.version += 1;
        let meta = self.shared.meta(self.stream.clone(), self.version);
        match A::fold_event(Some(self.state.clone()), &event, &meta) {
            Ok(state) => self.state = state,
            Err(error) => {
                self.shared.staged().error.get_or_insert_with(|| unreadable(error));
            }
        }
        // The load has already put a condition on the stream.
        self.shared.stage(&event, Expect::Nothing);
    }

    /// How many events the stream has, those of this transaction included.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The state, with the events emitted here folded in.
    pub fn into_state(self) -> A {
        self.state
    }
}

impl<A> Deref for Loaded<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.state
    }
}

impl<A: fmt::Debug> fmt::Debug for Loaded<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("stream", &self.stream)
            .field("version", &self.version)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
