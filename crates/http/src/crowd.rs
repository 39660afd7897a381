use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::middleware::map_response;
use axum::response::Response;
use catga_core::{Fault, FaultCode};
use catga_host::Host;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connections;
use crate::observer::{new_trace, trace_of};
use crate::problem::Problem;

/// How many connections there are at once if nothing is said: far more than clients that pool
/// theirs need, and less than what one process may have open on most machines.
pub(crate) const CONNECTIONS_MAX: usize = 4096;

/// So many more are taken when there are as many as may be, for one request each: so that peers
/// and probes get through whatever clients do.
const SPARE: usize = 64;

/// How many connections a server has at once.
pub(crate) struct Crowd {
    places: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    /// It was said that there are too many.
    is_told: AtomicBool,
}

/// What a connection gets, and keeps until it ends.
#[derive(Debug)]
pub(crate) struct Place {
    /// It is one more than may be.
    pub(crate) is_spare: bool,
    _permit: OwnedSemaphorePermit,
}

impl Crowd {
    pub(crate) fn new(max: usize) -> Self {
        let (places, spare) = (Semaphore::new(max), Semaphore::new(SPARE));
        let (places, spare) = (Arc::new(places), Arc::new(spare));
        Self { places, spare, is_told: AtomicBool::new(false) }
    }

    /// A place for one more; none if not even a spare one is left.
    pub(crate) fn enter(&self) -> Option<Place> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            self.is_told.store(false, Ordering::Relaxed);
            return Some(Place { is_spare: false, _permit: permit });
        }
        if !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!("there are as many connections as may be: clients are sent away");
        }
        let permit = Arc::clone(&self.spare).try_acquire_owned().ok()?;
        Some(Place { is_spare: true, _permit: permit })
    }
}

/// What is answered on a spare place: what `always` has, and to everybody else to come later.
pub(crate) fn router(host: &Arc<dyn Host>, always: Router) -> Router {
    let (nowhere, otherwise) = (host.clone(), host.clone());
    always
        .fallback(async move |request: Request| crowded(&*nowhere, &request))
        .method_not_allowed_fallback(async move |request: Request| crowded(&*otherwise, &request))
        .layer(map_response(async |response| connections::last(response)))
}

fn crowded(host: &dyn Host, request: &Request) -> Response {
    let trace = trace_of(request).unwrap_or_else(|| new_trace(host));
    let why = "the node has as many connections as it may have; keep one open and use it again";
    let fault = Fault::new(FaultCode::Overloaded, why);
    Problem::fault(&fault, false, trace).into_response()
}
