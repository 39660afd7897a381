use std::ops::RangeInclusive;
use std::time::Duration;

use catga_engine::Limits;
use catga_host::Host;
use fastrand::Rng;

/// How a machine and its node are set up, as a seed decides: mostly tiny, so that what seldom
/// happens happens often.
#[derive(Clone, Debug)]
pub(crate) struct Tuning {
    pub(crate) clients: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) cached_bytes: usize,
    pub(crate) checkpoint_bytes: usize,
    pub(crate) checkpoint_interval: Duration,
    pub(crate) log_kept_bytes: usize,
    pub(crate) batch_effects_max: usize,
    pub(crate) appends_in_flight_max: usize,
    pub(crate) sync_time: RangeInclusive<Duration>,
    /// How long a life of the process is, at most.
    pub(crate) life: Duration,
    /// How long a key from outside is remembered; a day if nothing is said.
    pub(crate) key_retention: Option<Duration>,
    /// How many keys there may be then, in a start that says the least.
    pub(crate) keys: usize,
    /// Disks lose bits of what a node needs to start, and fail to read and to write.
    pub(crate) rots: bool,
}

impl Tuning {
    /// How many bytes a node has to apply until it has written checkpoints and trimmed its log behind
    /// them, whatever it held before.
    pub(crate) fn turnover_bytes(&self) -> usize {
        self.log_kept_bytes + 3 * self.checkpoint_bytes + 2 * self.segment_bytes as usize
    }

    /// The limits of a node that starts at `now`. Where keys are forgotten soon, no two starts have
    /// the same room for them: that must not matter to what was acknowledged.
    pub(crate) fn limits(&self, now: Duration) -> catga::Limits {
        let mut limits = catga::Limits::default();
        // Many wait for a subscriber to give up.
        limits.delivery_attempts = 3;
        if self.key_retention.is_some() {
            limits.keys = self.keys << (now.as_millis() % 3);
        }
        limits
    }

    /// Waits until there is room for keys, where they are forgotten soon.
    pub(crate) async fn forgets_keys(&self, host: &dyn Host) {
        host.sleep(self.key_retention.unwrap_or_default()).await;
    }

    /// The limits of the engine on every node.
    pub(crate) fn engine_limits(&self) -> Limits {
        let mut limits = Limits::default();
        if let Some(retention) = self.key_retention {
            limits.key_retention_ms = retention.as_millis() as u64;
        }
        limits
    }

    pub(crate) fn draw(dice: &mut Rng) -> Self {
        // Of dice of its own, so that no other choice of a seed depends on it.
        let mut late = dice.clone().fork();
        let is_short = late.u8(0..4) == 0;
        let retention = Duration::from_millis(late.u64(300..=3_000));
        let rots = late.bool();
        Self {
            clients: dice.u64(1..=12),
            segment_bytes: 4096 << dice.u32(0..=5),
            cached_bytes: if dice.bool() { 0 } else { 1 << dice.u32(10..=20) },
            checkpoint_bytes: 1 << dice.u32(9..=17),
            checkpoint_interval: Duration::from_millis(dice.u64(0..=50)),
            log_kept_bytes: if dice.bool() { 0 } else { 1 << dice.u32(10..=16) },
            batch_effects_max: if dice.bool() { dice.usize(1..=4) } else { 256 },
            appends_in_flight_max: dice.usize(1..=4),
            sync_time: Duration::from_micros(dice.u64(50..500))
                ..=Duration::from_millis(dice.u64(1..=8)),
            life: Duration::from_millis(dice.u64(50..=2500)),
            key_retention: is_short.then_some(retention),
            keys: late.usize(60..=300),
            rots,
        }
    }
}
