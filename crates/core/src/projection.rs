use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    Answer, DecodeError, EncodeError, Fault, FaultCode, FoldError, Format, Offset, Position,
    RecordedEvent,
};

/// A read model: a fold over the events of all streams, kept on every node.
///
/// `#[projection(name = "orders", version = 1)]` on an impl block writes this: each method that
/// takes an event is one step. Another version means folding again from the start.
///
/// A projection is derived: it is never sent to a peer. Where the node keeps data, it is written
/// to a local checkpoint from time to time and when the node stops in order, so that a start folds
/// only what came after it.
///
/// # Contract
/// 1. A fold depends on nothing but the state and the events.
/// 2. What [`restore`](Self::restore) makes of the bytes of [`save`](Self::save) is read, folds and
///    is saved as the state that was saved.
/// 3. [`VERSION`](Self::VERSION) is raised when the folds changed, and when what is saved means
///    something else than before.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection",
    note = "put `#[projection(name = \"…\", version = 1)]` on the impl block with its event methods"
)]
pub trait Projection: Default + Send + Sync + 'static {
    /// The stored, written name.
    const NAME: &'static str;
    /// Raise it when the fold changed: what was checkpointed under another version is not used.
    const VERSION: u32;
    /// The names of the events that it folds; others never reach it.
    const EVENTS: &'static [&'static str];

    /// Takes `event` into the read model.
    ///
    /// # Errors
    /// When the event cannot be read; the projection is then quarantined at its position.
    fn fold(&mut self, event: &RecordedEvent) -> Result<(), FoldError>;

    /// The state as bytes for a checkpoint; none if the projection takes no checkpoints and is
    /// folded again from the start whenever the process starts.
    ///
    /// No fold goes on meanwhile, but reads do.
    ///
    /// # Errors
    /// When the state cannot be expressed. The checkpoint before it is kept.
    fn save(&self) -> Result<Option<Vec<u8>>, EncodeError> {
        Ok(None)
    }

    /// The state that [`save`](Self::save) wrote, by this or an earlier build under the same
    /// [`VERSION`](Self::VERSION); none if the projection takes no checkpoints.
    ///
    /// # Errors
    /// When the bytes cannot be read. The projection is then folded again from the start.
    fn restore(bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        let _ = bytes;
        Ok(None)
    }
}

/// A state that can be written to a checkpoint: any owned type with serde's two derives.
///
/// `#[projection]` asks for it unless it says `checkpoint = false`.
#[diagnostic::on_unimplemented(
    message = "the projection `{Self}` cannot be written to a checkpoint",
    label = "it needs serde's `Serialize` and `Deserialize`",
    note = "derive both: `#[derive(Default, Serialize, Deserialize)]`",
    note = "or write `#[projection(name = \"…\", checkpoint = false)]`: it is then folded again from \
            the start whenever the process starts"
)]
pub trait Checkpointed: Sized {
    /// The state in the format `F`.
    ///
    /// # Errors
    /// When it cannot be expressed.
    fn save_as<F: Format>(&self) -> Result<Vec<u8>, EncodeError>;

    /// The state that `bytes` are, in the format `F`.
    ///
    /// # Errors
    /// When they are no such state.
    fn restore_as<F: Format>(bytes: &[u8]) -> Result<Self, DecodeError>;
}

// Else the compiler would say which of serde's traits is missing, and not what to do.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Checkpointed for T {
    fn save_as<F: Format>(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = Vec::new();
        F::encode(self, &mut bytes)?;
        Ok(bytes)
    }

    fn restore_as<F: Format>(bytes: &[u8]) -> Result<Self, DecodeError> {
        F::decode(bytes)
    }
}

/// A projection as services read it: cheap to clone, always as far as this node has folded.
///
/// It is read through closures, so that no lock crosses an `.await`.
pub struct View<P>(Arc<ViewCell<P>>);

impl<P: Projection> View<P> {
    /// A view of a value made by hand, for tests.
    pub fn of(value: P) -> Self {
        Self(Arc::new(ViewCell::new(value)))
    }

    /// The view of what `cell` holds.
    pub fn over(cell: Arc<ViewCell<P>>) -> Self {
        Self(cell)
    }

    /// Reads the projection; `read` returns a reply or a refusal.
    ///
    /// ```
    /// # use catga_core::{Answer, DomainError, Projection, View};
    /// # fn demo<Book: Projection, Order, OrderError: DomainError>(
    /// #     book: View<Book>, find: impl Fn(&Book) -> Result<Order, OrderError>,
    /// # ) -> Answer<Order, OrderError> {
    /// book.with(|book| find(book))
    /// # }
    /// ```
    ///
    /// # Errors
    /// What `read` refused, or a fault if the projection is quarantined.
    pub fn with<R, E>(&self, read: impl FnOnce(&P) -> Result<R, E>) -> Answer<R, E> {
        self.read(read)?.map_err(crate::Failure::Domain)
    }

    /// Reads the projection; `read` returns a plain value.
    ///
    /// # Errors
    /// A fault if the projection is quarantined.
    pub fn read<R>(&self, read: impl FnOnce(&P) -> R) -> Result<R, Fault> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(quarantined) = self.0.quarantined.get() {
            return Err(quarantined.fault());
        }
        Ok(read(&state))
    }
}

impl<P> Clone for View<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Projection> fmt::Debug for View<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("projection", &P::NAME).field("at", &self.0.offset()).finish()
    }
}

/// Where a projection's state lives; the runtime folds into it, [`View`]s read it.
pub struct ViewCell<P> {
    /// A reader never holds it across an `.await`, and a fold holds it for a few events at a time.
    state: RwLock<P>,
    /// The offset up to which everything is folded. Written under the lock's write half.
    offset: AtomicU64,
    /// Set once, when a fold panicked or failed; never cleared while the process lives.
    quarantined: OnceLock<Quarantined>,
}

impl<P: Projection> ViewCell<P> {
    /// A cell that starts from `value`.
    pub fn new(value: P) -> Self {
        Self { state: RwLock::new(value), offset: AtomicU64::new(0), quarantined: OnceLock::new() }
    }

    /// A cell of its own for the state that [`save`](Self::save) wrote as `bytes`, folded up to
    /// `offset`; none if the projection takes no checkpoints.
    ///
    /// # Errors
    /// When the bytes cannot be read; a panic passes through.
    pub fn restored(offset: Offset, bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        let restored = P::restore(bytes)?;
        Ok(restored.map(|state| Self { offset: AtomicU64::new(offset.0), ..Self::new(state) }))
    }

    /// Folds `events` in and notes that everything up to `upto` is in.
    ///
    /// # Errors
    /// When a fold fails. The caller then quarantines the projection; a panic passes through.
    pub fn fold(
        &self,
        events: &[RecordedEvent],
        upto: Offset,
    ) -> Result<(), (Position, FoldError)> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            state.fold(event).map_err(|error| (event.meta.position, error))?;
        }
        self.offset.store(upto.0, Ordering::Release);
        Ok(())
    }

    /// The state as bytes, and how far it is folded; none if the projection takes no checkpoints
    /// or is quarantined.
    ///
    /// Readers go on meanwhile. A fold that came now would wait, and the next readers behind it:
    /// the caller lets none begin.
    ///
    /// # Errors
    /// When the state cannot be expressed; a panic passes through.
    pub fn save(&self) -> Result<Option<(Offset, Vec<u8>)>, EncodeError> {
        // Poisoned by a fold that panicked: what it left behind must not be kept.
        let Ok(state) = self.state.read() else { return Ok(None) };
        if self.quarantined.get().is_some() {
            return Ok(None);
        }
        Ok(state.save()?.map(|bytes| (self.offset(), bytes)))
    }

    /// Puts the state that `bytes` are, folded up to `offset`, in the place of the state; false if
    /// the projection takes no checkpoints.
    ///
    /// # Errors
    /// When the bytes cannot be read; the state is then as it was. A panic passes through.
    pub fn restore(&self, offset: Offset, bytes: &[u8]) -> Result<bool, DecodeError> {
        let Some(restored) = P::restore(bytes)? else { return Ok(false) };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = restored;
        self.offset.store(offset.0, Ordering::Release);
        Ok(true)
    }

    /// Everything up to here is folded.
    pub fn offset(&self) -> Offset {
        Offset(self.offset.load(Ordering::Acquire))
    }

    /// Refuses every later read.
    pub fn quarantine(&self, why: Quarantined) {
        // A second quarantine keeps the first reason, which is the cause.
        let _ = self.quarantined.set(why);
    }

    /// Why reading is refused, if it is.
    pub fn quarantined(&self) -> Option<&Quarantined> {
        self.quarantined.get()
    }
}

impl<P: Projection> fmt::Debug for ViewCell<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewCell")
            .field("projection", &P::NAME)
            .field("offset", &self.offset())
            .field("quarantined", &self.quarantined.get())
            .finish_non_exhaustive()
    }
}

/// Why a projection may not be read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The projection's written name.
    pub projection: &'static str,
    /// The position of the event that it failed on.
    pub position: Position,
    /// The panic's message or the error.
    pub reason: String,
}

impl Quarantined {
    fn fault(&self) -> Fault {
        Fault::new(
            FaultCode::ProjectionQuarantined,
            format!(
                "projection `{}` stopped at position {}: {}; correct the fold and restart the node",
                self.projection, self.position, self.reason
            ),
        )
    }
}
