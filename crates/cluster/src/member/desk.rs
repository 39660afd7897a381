use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use catga_host::BoxFuture;

use crate::founding::Founder;
use crate::joining::Admission;
use crate::wire::Kind;
use crate::{Peer, Serve, Topic};

/// Hands each request of a peer to the part of the node that answers it, once that is there.
pub(super) struct Desk {
    founder: Founder,
    log: OnceLock<(Arc<dyn Serve>, Admission)>,
    application: OnceLock<Arc<dyn Serve>>,
}

impl Desk {
    pub(super) fn new(founder: Founder) -> Self {
        Self { founder, log: OnceLock::new(), application: OnceLock::new() }
    }

    pub(super) fn set_log(&self, log: Arc<dyn Serve>, admission: Admission) {
        if self.log.set((log, admission)).is_err() {
            tracing::error!("a second log was not taken");
        }
    }

    pub(super) fn set_application(&self, application: Arc<dyn Serve>) {
        if self.application.set(application).is_err() {
            tracing::error!("a second handler of peers' requests was not taken");
        }
    }
}

impl Serve for Desk {
    fn serve(
        &self,
        from: &Peer,
        topic: Topic,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        let handler: Option<&dyn Serve> = match topic {
            Topic::Membership if !matches!(Kind::of(&request), Ok(Kind::Join)) => {
                Some(&self.founder)
            }
            Topic::Membership => self.log.get().map(|(_, admission)| admission as &dyn Serve),
            Topic::Application => self.application.get().map(|handler| &**handler),
            _ => self.log.get().map(|(log, _)| &**log),
        };
        match handler {
            Some(handler) => handler.serve(from, topic, request),
            None => Box::pin(async { Err("the node is starting".to_owned()) }),
        }
    }
}
