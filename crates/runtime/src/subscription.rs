mod attempts;
mod everywhere;
mod held;
mod letters;
mod owner;
mod place;
mod progress;
mod recording;
mod records;
mod requests;
mod stint;
mod target;

#[cfg(test)]
mod fuzz;

pub use self::letters::DeadLetter;

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catga_core::{Each, Layer, Message, Offset, OnFailure, RecordedEvent, StartFrom, Subscriber};
use catga_host::timeout;
use catga_journal::Watermark;
use futures_util::future::select;
use tokio::sync::Notify;

use self::target::{Target, Typed};
use crate::commit::Committer;
use crate::views::Views;
use crate::{SubscriberState, SubscriberStatus};

/// How many events are read from the journal at once.
const PAGE: usize = 128;

/// Where the marks of a subscription are once what they stand for has happened.
const HAPPENED: Offset = Offset(1);

/// All subscribers of a node that get recorded events.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(pub(crate) Vec<Arc<Subscription>>);

/// One subscriber of recorded events.
pub(crate) struct Subscription {
    name: &'static str,
    events: &'static [&'static str],
    each: Each,
    from: StartFrom,
    on_failure: OnFailure,
    target: Box<dyn Target>,
    /// Those of its service, which its handler decides from.
    views: Views,
    status: Mutex<SubscriberStatus>,
    resumed: Notify,
    /// The node drains.
    stop: Watermark,
    /// Its place stands in the journal.
    placed: Watermark,
    /// It delivers nothing any more.
    ended: Watermark,
}

impl Subscription {
    pub(crate) fn new<H: Subscriber, L: Layer>(
        subscriber: H,
        layers: Arc<L>,
        views: Views,
    ) -> Self {
        Self {
            name: H::NAME,
            events: const { &[<H::Event as Message>::NAME] },
            each: H::EACH,
            from: H::FROM,
            on_failure: H::ON_FAILURE,
            target: Box::new(Typed { subscriber, layers }),
            views,
            status: Mutex::new(SubscriberStatus::new(H::NAME, H::EACH)),
            resumed: Notify::new(),
            stop: Watermark::default(),
            placed: Watermark::default(),
            ended: Watermark::default(),
        }
    }

    /// Delivers what comes until the journal closes or the node drains. `now` is where the journal
    /// was when the node started.
    pub(crate) async fn run(self: Arc<Self>, committer: Arc<Committer>, now: Offset) {
        let (host, journal) = (committer.host.clone(), committer.journal.clone());
        let attempts = committer.limits.delivery_attempts;
        match self.each {
            Each::Cluster => self.run_owned(committer, now).await,
            // `Each` may have more some day; core and runtime are of one version.
            _ => self.run_everywhere(host, journal, now, attempts).await,
        }
    }

    fn is_of_cluster(&self) -> bool {
        self.each == Each::Cluster
    }

    /// Tells of a failed try, after which another one comes.
    fn retrying(&self, event: &RecordedEvent, attempt: u32, error: &str) {
        let position = event.meta.position;
        tracing::warn!(subscriber = self.name, %position, attempt, error, "delivery failed");
        let error = error.to_owned();
        self.set(|status| {
            status.state = SubscriberState::Retrying { attempts: attempt, error };
        });
    }

    fn paused(&self, error: String) {
        tracing::error!(subscriber = self.name, error, "subscriber paused");
        self.set(|status| status.state = SubscriberState::Paused { error });
    }

    /// As [`paused`](Self::paused), but tells it only once.
    fn paused_still(&self, error: String) {
        if !matches!(&self.lock().state, SubscriberState::Paused { .. }) {
            self.paused(error);
        }
    }

    fn set(&self, change: impl FnOnce(&mut SubscriberStatus)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, SubscriberStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriptions {
    pub(crate) fn status(&self) -> Vec<SubscriberStatus> {
        self.0.iter().map(|subscription| subscription.lock().clone()).collect()
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.status().iter().flat_map(SubscriberStatus::complaints).collect()
    }

    pub(crate) fn resume(&self, name: &str) -> bool {
        let Some(subscription) = self.0.iter().find(|subscription| subscription.name == name)
        else {
            return false;
        };
        let paused = matches!(subscription.lock().state, SubscriberState::Paused { .. });
        if paused {
            subscription.resumed.notify_one();
        }
        paused
    }

    /// True if one of the whole cluster is called so.
    fn has_of_cluster(&self, name: &str) -> bool {
        self.of_cluster().any(|subscription| subscription.name == name)
    }

    /// Waits until the places of those of the whole cluster stand in the journal, if this node
    /// leads: what is sent once it has started is then not lost to one that begins now, even if the
    /// node is.
    pub(crate) async fn place(&self, committer: &Committer) {
        let changes = committer.journal.leadership_changes().get();
        if !committer.runs_here() {
            return;
        }
        let placed = async {
            for subscription in self.of_cluster() {
                subscription.placed.reach(HAPPENED).await;
            }
        };
        let deposed = committer.journal.leadership_changes().reach(changes.next());
        let placed = pin!(placed);
        let either = select(placed, deposed);
        if timeout(&*committer.host, committer.limits.start_wait, either).await.is_err() {
            tracing::warn!("the places of subscribers are not recorded yet");
        }
    }

    /// Tells those of the whole cluster to finish the delivery under way and to record how far they
    /// came; ready once they have.
    pub(crate) async fn stop(&self) {
        self.of_cluster().for_each(|subscription| subscription.stop.advance(HAPPENED));
        for subscription in self.of_cluster() {
            subscription.ended.reach(HAPPENED).await;
        }
    }

    fn of_cluster(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.0.iter().filter(|subscription| subscription.is_of_cluster())
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&*self.lock()).finish()
    }
}
