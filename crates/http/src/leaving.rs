use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use catga_core::{Fault, FaultCode};

use crate::connections;
use crate::observer::{Observer, trace_of};
use crate::problem::Problem;

/// How far a server is on its way out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaving(Arc<AtomicU8>);

const DRAINING: u8 = 1;
const TURNING_AWAY: u8 = 2;

impl Leaving {
    /// From now on it is not ready, still serves, and each answer is the last one of its
    /// connection.
    pub(crate) fn drain(&self) {
        self.0.store(DRAINING, Ordering::Release);
    }

    /// From now on it serves nobody any more and says so: connections that nobody takes would be
    /// lost with the listener, and requests with them.
    pub(crate) fn turn_away(&self) {
        self.0.store(TURNING_AWAY, Ordering::Release);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.load(Ordering::Acquire) >= DRAINING
    }
}

/// What a service's own routes need to turn callers away.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) leaving: Leaving,
    pub(crate) observer: Arc<Observer>,
}

/// Lets a request through to the service while it serves.
pub(crate) async fn let_in(State(door): State<Door>, request: Request, next: Next) -> Response {
    if door.leaving.0.load(Ordering::Relaxed) < TURNING_AWAY {
        return next.run(request).await;
    }
    let trace = trace_of(&request).unwrap_or_else(|| door.observer.new_trace());
    let fault = Fault::new(FaultCode::ShuttingDown, "this node stops: ask another");
    Problem::fault(&fault, false, trace).into_response()
}

/// Once a node drains, each answer is the last one of its connection.
pub(crate) async fn last(State(leaving): State<Leaving>, response: Response) -> Response {
    if leaving.is_draining() { connections::last(response) } else { response }
}
