use std::sync::atomic::{AtomicU64, Ordering};

use catga::{Call, Layer};

/// An edge layer: counts calls.
#[derive(Debug, Default)]
pub(super) struct Counted(AtomicU64);

impl Layer for Counted {
    async fn around<C: Call>(&self, call: C) -> C::Outcome {
        self.0.fetch_add(1, Ordering::Relaxed);
        call.proceed().await
    }
}

/// A handler layer that does nothing.
#[derive(Debug)]
pub(super) struct NoOp;

impl Layer for NoOp {
    async fn around<C: Call>(&self, call: C) -> C::Outcome {
        call.proceed().await
    }
}
