use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::{Connection, Files, Listener, Task};

/// A future behind a pointer, as ports return them.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The machine that a node runs on: real, or a simulator's.
///
/// # Contract
/// 1. A spawned task runs until it ends, is aborted, or the host goes away; dropping its
///    [`Task`] does not abort it.
/// 2. [`now`](Self::now) never goes backwards; [`wall_ms`](Self::wall_ms) may.
/// 3. [`sleep`](Self::sleep) ends no earlier than asked for.
/// 4. In a simulation every answer follows from the seed alone.
pub trait Host: fmt::Debug + Send + Sync + 'static {
    /// Runs `task` until it ends. `name` says in logs what it is.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task;

    /// Runs `task` on a thread of its own, where it may block: it holds up only itself and what it
    /// spawns through the runtime that it finds there. In a simulation it is a task like others.
    fn spawn_thread(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task;

    /// The same for what nobody waits for: while others need the processor, it gets less of it, and
    /// still so much that it comes to its end.
    fn spawn_behind(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.spawn_thread(name, task)
    }

    /// The same machine, with one thread for all that is spawned and awaited there: tasks that wake
    /// each other all the time do so at no cost if they share one, and nothing else makes them wait.
    /// None of them may block. The thread ends with the host that is given out.
    ///
    /// None where a task more is as good as a thread, as in a simulation.
    fn thread(&self, name: &'static str) -> Option<Arc<dyn Host>> {
        _ = name;
        None
    }

    /// Makes of a task that is spawned in other ways than [`spawn`](Self::spawn), such as by a
    /// library on one of this host's threads, a task of this machine: it ends and stands still with
    /// it. On a real machine every task does.
    fn adopt(&self, task: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        task
    }

    /// Monotonic time since some fixed moment.
    fn now(&self) -> Duration;

    /// Wall-clock time: milliseconds since the Unix epoch.
    fn wall_ms(&self) -> u64;

    /// Ends after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// A random number, every bit alike.
    fn random(&self) -> u64;

    /// Listens for connections on `address`.
    fn listen(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Listener>>;

    /// Connects to `address`, which is `host:port`.
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<Connection>>;

    /// The machine's files.
    fn files(&self) -> Arc<dyn Files>;
}
