use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use catga_host::BoxFuture;

use crate::changing::Changing;
use crate::founding::Founder;
use crate::joining::Admission;
use crate::wire::Kind;
use crate::{Peer, Serve, Topic};

/// Hands each request of a peer to the part of the node that answers it, once that is there.
pub(super) struct Desk {
    founder: Founder,
    log: OnceLock<OfLog>,
    application: OnceLock<Arc<dyn Serve>>,
}

/// What answers once there is a log.
struct OfLog {
    log: Arc<dyn Serve>,
    admission: Admission,
    changing: Changing,
}

impl Desk {
    pub(super) fn new(founder: Founder) -> Self {
        Self { founder, log: OnceLock::new(), application: OnceLock::new() }
    }

    pub(super) fn set_log(&self, log: Arc<dyn Serve>, admission: Admission, changing: Changing) {
        if self.log.set(OfLog { log, admission, changing }).is_err() {
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
        let of_log = self.log.get();
        let belongs = || of_log.is_none_or(|of| of.admission.knows(from));
        let handler: Option<&dyn Serve> = match topic {
            Topic::Membership => match Kind::of(&request) {
                Ok(Kind::Join) => of_log.map(|of| &of.admission as &dyn Serve),
                Ok(Kind::Change) if !belongs() => return stranger(from),
                Ok(Kind::Change) => of_log.map(|of| &of.changing as &dyn Serve),
                _ => Some(&self.founder),
            },
            Topic::Application if !belongs() => return stranger(from),
            Topic::Application => self.application.get().map(|handler| &**handler),
            _ if of_log.is_some_and(|of| of.admission.is_another(from)) => return stranger(from),
            _ => of_log.map(|of| &*of.log),
        };
        match handler {
            Some(handler) => handler.serve(from, topic, request),
            None => Box::pin(async { Err("the node is starting".to_owned()) }),
        }
    }
}

/// What a peer hears that does not belong to the cluster, as far as the log here says. It may ask to
/// join; and what it says as a voter is heard, unless it goes by the number of another, since it may
/// be one that was let in a moment ago.
fn stranger(peer: &Peer) -> BoxFuture<'static, Result<Bytes, String>> {
    let why = format!("{} is no member of the cluster", peer.name);
    Box::pin(async { Err(why) })
}
