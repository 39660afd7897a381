use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catga_core::Timestamp;
use catga_host::{BoxFuture, Connection, Files, Host, Listener, Task, TokioHost};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::Trace;
use crate::clock::START;
use crate::disk::{Lost, SimDisk};
use crate::network::{Attachment, SimNetwork};
use crate::process::Process;
use crate::tasks::{Running, Tasks};

/// A machine for tests: its clocks are virtual, its randomness follows from a seed, its disk is
/// simulated, and it can crash.
///
/// Time stands still while anything runs, and jumps to the next timer once everything waits: a day
/// passes at once, every timer in its order. Connections are real ones over loopback, and time does
/// not wait for them; or those of the [network](SimNetwork) that it was [made in](Self::in_network).
///
/// Of its process, [`crash`](Self::crash) ends everything; [`power_cut`](Self::power_cut) takes
/// from the [disk](Self::disk) what was not durable too. What is started afterwards, on this
/// machine or on [another with its disk](Self::with_disk), finds what is left.
/// [`pause`](Self::pause) lets the process stand still. Its process is what was
/// [spawned](Host::spawn) or [adopted](Host::adopt) here, not what the test itself awaits.
///
/// [`run`](crate::run()) makes it. In a test with a runtime of its own,
/// `#[tokio::test(start_paused = true)]`, make it with [`new`](Self::new).
pub struct VirtualHost {
    seed: u64,
    /// Clocks and connections; its spawn does not know all its tasks.
    tokio: TokioHost,
    runtime: Handle,
    /// Locked for one draw: whoever draws changes what the next one gets.
    random: Mutex<fastrand::Rng>,
    /// The wall clock when [`Host::now`] was zero, as it is set now. Read and written relaxed,
    /// because nothing else is ordered by it.
    wall_base_ms: AtomicU64,
    /// Locked to add, list or end tasks, never while one runs.
    tasks: Mutex<Tasks>,
    /// Whether the tasks may run.
    process: Arc<Process>,
    disk: SimDisk,
    network: Option<Attachment>,
    /// How many calls are ending the process: what it does meanwhile does not start a machine.
    ending: AtomicU64,
}

/// Makes of a machine's seed that of its disk: odd, so that different ones stay different.
const DISK_SEED: u64 = 0x9e37_79b9_7f4a_7c15;

impl VirtualHost {
    /// A machine with an empty disk, on the current tokio runtime, which must be of one thread and
    /// paused. Its wall clock starts at 2026-01-01T00:00:00Z.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(seed: u64) -> Arc<Self> {
        // What the disk draws must not be what the machine draws.
        Self::with_disk(seed, SimDisk::new(seed.wrapping_mul(DISK_SEED)))
    }

    /// A machine as [`new`](Self::new) makes it, with the disk of an earlier one: what ran there
    /// should have [ended](Self::crash).
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn with_disk(seed: u64, disk: SimDisk) -> Arc<Self> {
        Self::made(seed, disk, None)
    }

    /// A machine as [`with_disk`](Self::with_disk) makes it, that is called `name` in `network`:
    /// [`connect`](Host::connect) takes addresses such as `node1:5001`, and
    /// [`listen`](Host::listen) the port of whatever address it is given. What happens on it is
    /// noted in the network's trace, under its name.
    ///
    /// It takes the place of a former machine of its name, as if that had lost power.
    ///
    /// # Panics
    /// Outside a tokio runtime; if the name is none that can stand in an address; if the network
    /// has 250 machines.
    pub fn in_network(seed: u64, disk: SimDisk, network: &SimNetwork, name: &str) -> Arc<Self> {
        disk.set_trace(network.trace().named(name));
        Self::made(seed, disk, Some(Attachment::new(network, name)))
    }

    fn made(seed: u64, disk: SimDisk, network: Option<Attachment>) -> Arc<Self> {
        disk.trace().note(format_args!("machine {seed}"));
        Arc::new(Self {
            seed,
            tokio: TokioHost::current(),
            runtime: Handle::current(),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            wall_base_ms: AtomicU64::new(START.as_millis()),
            tasks: Mutex::new(Tasks::default()),
            process: Arc::default(),
            disk,
            network,
            ending: AtomicU64::new(0),
        })
    }

    /// What everything random follows from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Lets `duration` pass: every timer in between ends in its order, and what it wakes runs.
    ///
    /// # Cancel safety
    /// Dropping the future stops the wait; what has passed has passed.
    pub async fn advance(&self, duration: Duration) {
        self.tokio.sleep(duration).await;
    }

    /// The wall clock's time.
    pub fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.wall_ms())
    }

    /// Sets the wall clock, as an operator or a time server would. The monotonic clock goes on.
    pub fn set_wall(&self, time: Timestamp) {
        let base_ms = time.as_millis().wrapping_sub(self.now_ms());
        self.wall_base_ms.store(base_ms, Ordering::Relaxed);
    }

    /// Puts the wall clock forward.
    pub fn step_wall(&self, by: Duration) {
        let forward_ms = self.wall_ms().saturating_add(millis(by));
        self.set_wall(Timestamp::from_millis(forward_ms));
    }

    /// Puts the wall clock back, at most to 1970.
    pub fn step_wall_back(&self, by: Duration) {
        let back_ms = self.wall_ms().saturating_sub(millis(by));
        self.set_wall(Timestamp::from_millis(back_ms));
    }

    /// The names of the tasks that run here, oldest first.
    pub fn tasks(&self) -> Vec<&'static str> {
        self.lock_tasks().running()
    }

    /// The disk, to break it or to look at it.
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// What happens here, so far as it is noted: tasks that start, crashes, and everything that
    /// happens to the disk. It is the disk's, and goes along with it to another machine.
    pub fn trace(&self) -> Trace {
        self.disk.trace()
    }

    /// What the machine is called in its network.
    pub fn name(&self) -> Option<&str> {
        self.network.as_ref().map(Attachment::name)
    }

    /// Lets the process stand still, as SIGSTOP does: none of its tasks runs until it is
    /// [resumed](Self::resume), whatever wakes them. Clocks go on, syncs that were under way end,
    /// and the network takes bytes and connections for it, as many as there is room for.
    pub fn pause(&self) {
        if self.process.pause() {
            self.disk.trace().note("pause");
        }
    }

    /// Lets the process go on: whatever was woken meanwhile runs.
    pub fn resume(&self) {
        if self.process.resume() {
            self.disk.trace().note("resume");
        }
    }

    /// Ends every task that runs here where it stands, as the death of the process would, also of
    /// one that stands still; what they held is dropped when this returns. Files that are open are
    /// dead, locks are free, and what was written can be read. Connections are closed, as the
    /// kernel does it. What is spawned later runs.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the tasks ended or about to end.
    pub async fn crash(&self) {
        self.stop(Lost::None).await;
    }

    /// Ends every task as [`crash`](Self::crash) does, because the power goes: of what was not
    /// durable [some part is lost](SimDisk::crash). The other machines of its network hear nothing,
    /// until this one [has power again](Self::power_on).
    ///
    /// # Cancel safety
    /// As of [`crash`](Self::crash).
    pub async fn power_cut(&self) {
        self.stop(Lost::Some).await;
    }

    /// Gives a machine of a network power again, after a [`power_cut`](Self::power_cut). What is
    /// spawned, listens or connects here does the same, so that this is only for a machine that is
    /// to run nothing yet.
    pub fn power_on(&self) {
        if self.ending.load(Ordering::Relaxed) == 0 {
            self.network.iter().for_each(Attachment::power_on);
        }
    }

    async fn stop(&self, lost: Lost) {
        let _ending = Ending::begin(&self.ending);
        // The network and the disk at once: what the tasks do while they are dropped, a dead
        // process does not do.
        self.network.iter().for_each(|network| match lost {
            Lost::None => network.end_process(),
            _ => network.power_off(),
        });
        let tasks = self.lock_tasks().abort();
        self.disk.crash_losing(lost);
        let adopted = self.process.end();
        // Each ends when the runtime comes to it next; this one waits its turn among them. Not for
        // what is spawned meanwhile, which may run for ever.
        while !tasks.iter().all(AbortHandle::is_finished) || !self.process.have_ended(&adopted) {
            tokio::task::yield_now().await;
        }
    }

    fn now_ms(&self) -> u64 {
        millis(self.now())
    }

    fn lock_tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for VirtualHost {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.power_on();
        self.disk.trace().note(format_args!("spawn {name}"));
        // Not under the lock: a runtime that is gone drops the task here and now.
        let handle = self.runtime.spawn(self.process.govern(task));
        self.lock_tasks().add(name, handle.abort_handle());
        Task::new(Running { name, handle })
    }

    fn spawn_thread(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.spawn(name, task)
    }

    fn adopt(&self, task: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        self.process.adopt(task)
    }

    fn now(&self) -> Duration {
        self.tokio.now()
    }

    fn wall_ms(&self) -> u64 {
        // Wrapping: the wall may be set to a time before that of the start.
        self.wall_base_ms.load(Ordering::Relaxed).wrapping_add(self.now_ms())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.tokio.sleep(duration)
    }

    fn random(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }

    fn listen(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Listener>> {
        match &self.network {
            None => self.tokio.listen(address),
            Some(network) => {
                self.power_on();
                Box::pin(network.listen(address))
            }
        }
    }

    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<Connection>> {
        match &self.network {
            None => self.tokio.connect(address),
            Some(network) => {
                self.power_on();
                Box::pin(network.connect(address))
            }
        }
    }

    fn files(&self) -> Arc<dyn Files> {
        Arc::new(self.disk.clone())
    }
}

impl fmt::Debug for VirtualHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualHost")
            .field("seed", &self.seed)
            .field("now", &self.now())
            .field("wall", &self.wall().to_string())
            .finish_non_exhaustive()
    }
}

/// Counts a call that ends the process, for as long as it does.
struct Ending<'a>(&'a AtomicU64);

impl<'a> Ending<'a> {
    fn begin(ending: &'a AtomicU64) -> Self {
        ending.fetch_add(1, Ordering::Relaxed);
        Self(ending)
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
