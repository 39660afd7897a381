use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use catga_journal::Held;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::{CertificateStatus, Node};

impl Node {
    /// How full its tables and queues are: after load each goes back to what it was.
    pub fn held(&self) -> Vec<Held> {
        let mut held = self.0.committer.held();
        held.extend(self.0.journal.held());
        held
    }

    /// Writes the node's metrics as OpenMetrics text.
    pub fn metrics_text(&self) -> String {
        self.0.metrics.text(self)
    }

    /// Registers metrics of one's own in the node's registry.
    pub fn register_metrics(&self, register: impl FnOnce(&mut Registry)) {
        self.0.metrics.register(register);
    }
}

/// A node's metrics, in a registry of its own: several nodes may live in one process.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    commands: Family<Outcome, Counter>,
    durations: Family<Message, Histogram>,
    reruns: Family<Message, Counter>,
    applied: Gauge,
    behind: Family<Name, Gauge>,
    checkpointed: Family<Name, Gauge>,
    paused: Family<Name, Gauge>,
    owned: Family<Name, Gauge>,
    dead_letters: Family<Name, Gauge>,
    parked: Family<Name, Gauge>,
    held: Family<What, Gauge>,
    held_most: Family<What, Gauge>,
    backups_failed: Counter,
    /// Made when a backup is.
    last_backup: OnceLock<Gauge>,
    /// Made for a node that has a certificate.
    certificate: OnceLock<CertificateMetrics>,
}

#[derive(Debug, Default)]
struct CertificateMetrics {
    expires: Gauge,
    refused: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    message: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Message {
    message: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    name: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    what: &'static str,
}

/// The metrics of one durable handler, found once.
#[derive(Clone, Debug)]
pub(crate) struct HandlerMetrics {
    done: Counter,
    refused: Counter,
    failed: Counter,
    pub(crate) reruns: Counter,
    duration: Histogram,
}

/// How a durable command ended, for counting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended {
    Done,
    Refused,
    Failed,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("catga");
        let commands = Family::<Outcome, Counter>::default();
        registry.register("commands", "Durable commands answered", commands.clone());
        let durations = Family::<Message, Histogram>::new_with_constructor(|| {
            // From 50 µs, an answer from memory, to 13 s, past the usual deadline.
            Histogram::new(exponential_buckets(50e-6, 2.0, 19))
        });
        registry.register_with_unit(
            "command_duration",
            "Time from the call to the answer of a durable command",
            Unit::Seconds,
            durations.clone(),
        );
        let reruns = Family::<Message, Counter>::default();
        registry.register(
            "command_reruns",
            "How often a handler ran again after a conflict",
            reruns.clone(),
        );
        let applied = Gauge::default();
        registry.register("applied_offset", "Effects applied on this node", applied.clone());
        let behind = Family::<Name, Gauge>::default();
        registry.register(
            "projection_behind",
            "Effects that a projection has still to fold",
            behind.clone(),
        );
        let checkpointed = Family::<Name, Gauge>::default();
        registry.register(
            "projection_checkpointed_offset",
            "Effects in the last checkpoint of a projection, which a start need not fold again",
            checkpointed.clone(),
        );
        let paused = Family::<Name, Gauge>::default();
        registry.register(
            "subscriber_paused",
            "1 for a subscriber that gave up on an event and waits",
            paused.clone(),
        );
        let owned = Family::<Name, Gauge>::default();
        registry.register(
            "subscriber_owned",
            "1 for a subscriber to which this node delivers",
            owned.clone(),
        );
        let dead_letters = Family::<Name, Gauge>::default();
        registry.register(
            "subscriber_dead_letters",
            "Events on which a subscriber gave up, as its owner knows",
            dead_letters.clone(),
        );
        let parked = Family::<Name, Gauge>::default();
        registry.register(
            "subscriber_parked",
            "Events that wait behind the dead letters of a subscriber, as its owner knows",
            parked.clone(),
        );
        let held = Family::<What, Gauge>::default();
        registry.register(
            "held",
            "How many there are in each bounded table or queue of the node",
            held.clone(),
        );
        let held_most = Family::<What, Gauge>::default();
        registry.register(
            "held_most",
            "How many there may be, where nothing else bounds it",
            held_most.clone(),
        );
        let backups_failed = Counter::default();
        registry.register(
            "backups_failed",
            "Backups that were asked for and not made",
            backups_failed.clone(),
        );
        Self {
            registry: Mutex::new(registry),
            commands,
            durations,
            reruns,
            applied,
            behind,
            checkpointed,
            paused,
            owned,
            dead_letters,
            parked,
            held,
            held_most,
            backups_failed,
            last_backup: OnceLock::new(),
            certificate: OnceLock::new(),
        }
    }

    pub(crate) fn handler(&self, message: &'static str) -> HandlerMetrics {
        let count = |outcome| self.commands.get_or_create(&Outcome { message, outcome }).clone();
        HandlerMetrics {
            done: count("done"),
            refused: count("refused"),
            failed: count("failed"),
            reruns: self.reruns.get_or_create(&Message { message }).clone(),
            duration: self.durations.get_or_create(&Message { message }).clone(),
        }
    }

    pub(crate) fn register(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.lock());
    }

    /// A backup has ended: when, if it was made.
    pub(crate) fn backed_up(&self, at_ms: Option<u64>) {
        let Some(at_ms) = at_ms else {
            self.backups_failed.inc();
            return;
        };
        let last = self.last_backup.get_or_init(|| {
            let last = Gauge::default();
            self.lock().register_with_unit(
                "last_backup_timestamp",
                "When this node last made a backup, since it was started",
                Unit::Seconds,
                last.clone(),
            );
            last
        });
        last.set(clamp(at_ms / 1000));
    }

    pub(crate) fn text(&self, node: &Node) -> String {
        self.applied.set(clamp(node.position().offset.0));
        for projection in node.projections() {
            let name = projection.name;
            self.behind.get_or_create(&Name { name }).set(clamp(projection.behind));
            if let Some(offset) = projection.checkpointed {
                self.checkpointed.get_or_create(&Name { name }).set(clamp(offset.0));
            }
        }
        for subscriber in node.subscribers() {
            let paused = matches!(subscriber.state, crate::SubscriberState::Paused { .. });
            let name = subscriber.name;
            self.paused.get_or_create(&Name { name }).set(i64::from(paused));
            self.owned.get_or_create(&Name { name }).set(i64::from(subscriber.is_owner));
            // Only one node counts them, so that they can be added up.
            let known = |count: usize| if subscriber.is_owner { clamp(count as u64) } else { 0 };
            let dead_letters = self.dead_letters.get_or_create(&Name { name });
            dead_letters.set(known(subscriber.dead_letters));
            self.parked.get_or_create(&Name { name }).set(known(subscriber.parked));
        }
        for held in node.held() {
            let what = What { what: held.what };
            self.held.get_or_create(&what).set(clamp(held.count as u64));
            if let Some(most) = held.most {
                self.held_most.get_or_create(&what).set(clamp(most as u64));
            }
        }
        if let Some(certificate) = CertificateStatus::of(node) {
            let metrics =
                self.certificate.get_or_init(|| CertificateMetrics::new(&mut self.lock()));
            metrics.expires.set(clamp(certificate.valid_for.as_secs()));
            metrics.refused.set(i64::from(certificate.refused.is_some()));
        }
        let mut text = String::new();
        encode(&mut text, &self.lock()).expect("a String takes any text");
        text
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CertificateMetrics {
    fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register_with_unit(
            "certificate_expires_in",
            "How long this node's certificate is valid",
            Unit::Seconds,
            metrics.expires.clone(),
        );
        registry.register(
            "certificate_refused",
            "1 while the newest files of TLS cannot be used, and older ones are",
            metrics.refused.clone(),
        );
        metrics
    }
}

fn clamp(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl HandlerMetrics {
    pub(crate) fn record(&self, ended: Ended, took: Duration) {
        match ended {
            Ended::Done => self.done.inc(),
            Ended::Refused => self.refused.inc(),
            Ended::Failed => self.failed.inc(),
        };
        self.duration.observe(took.as_secs_f64());
    }
}
