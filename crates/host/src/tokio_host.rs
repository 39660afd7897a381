use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::{
    Accept, BoxFuture, Connection, Disk, Files, Host, Listener, Task, TaskEnd, TaskHandle,
};

/// The machine itself, through the tokio runtime that it was made in.
#[derive(Clone, Debug)]
pub struct TokioHost {
    runtime: Handle,
    start: Instant,
    /// Keeps the thread of the runtime, if it has one of its own; with the last clone it ends.
    _thread: Option<Arc<oneshot::Sender<()>>>,
}

impl TokioHost {
    /// The host of the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn current() -> Self {
        Self { runtime: Handle::current(), start: Instant::now(), _thread: None }
    }
}

impl Host for TokioHost {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        Task::new(Joined { name, handle: self.runtime.spawn(task) })
    }

    /// The thread has a runtime of its own, with clocks and without a network: so it is woken by a
    /// futex alone. Aborted, it ends at the task's next await.
    fn spawn_thread(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        on_thread(name, task, || {})
    }

    fn spawn_behind(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        on_thread(name, task, step_behind)
    }

    /// Unlike the runtime of [`spawn_thread`](Self::spawn_thread), that of the thread has a network.
    fn thread(&self, name: &'static str) -> Option<Arc<dyn Host>> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.inspect_err(|error| no_thread(name, error)).ok()?;
        let (thread, end) = oneshot::channel::<()>();
        let host = Self {
            runtime: runtime.handle().clone(),
            start: self.start,
            _thread: Some(thread.into()),
        };
        // What is spawned there ends with it.
        let run = move || drop(runtime.block_on(end));
        let started = thread::Builder::new().name(name.to_owned()).spawn(run);
        started.inspect_err(|error| no_thread(name, error)).ok()?;
        Some(Arc::new(host))
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall_ms(&self) -> u64 {
        // A clock before 1970 is taken as 1970: the journal's own time does not depend on it.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn random(&self) -> u64 {
        getrandom::u64().expect("the operating system gives random bytes")
    }

    fn listen(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Listener>> {
        Box::pin(async move { Ok(Listener::new(Tcp(TcpListener::bind(address).await?))) })
    }

    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<Connection>> {
        let address = address.to_owned();
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            // As for those that are accepted.
            stream.set_nodelay(true)?;
            Ok(Connection::tcp(stream))
        })
    }

    fn files(&self) -> Arc<dyn Files> {
        Arc::new(Disk)
    }
}

fn no_thread(thread: &str, error: &io::Error) {
    tracing::error!(thread, %error, "the machine gave no thread");
}

fn panicked(name: &str, panic: &(dyn Any + Send)) -> TaskEnd {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    TaskEnd::Panicked(format!("task `{name}`: {}", said.unwrap_or("it panicked")))
}

/// A task on a thread of its own.
struct OnThread {
    abort: Mutex<Option<oneshot::Sender<()>>>,
    end: oneshot::Receiver<TaskEnd>,
}

impl TaskHandle for OnThread {
    fn abort(&self) {
        let abort = self.abort.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A task that has ended needs no telling.
        let _ = abort.map(|abort| abort.send(()));
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TaskEnd> {
        Pin::new(&mut self.end).poll(cx).map(|end| end.unwrap_or(TaskEnd::Aborted))
    }
}

struct Joined {
    name: &'static str,
    handle: JoinHandle<()>,
}

impl TaskHandle for Joined {
    fn abort(&self) {
        self.handle.abort();
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TaskEnd> {
        let name = self.name;
        Pin::new(&mut self.handle).poll(cx).map(|end| match end {
            Ok(()) => TaskEnd::Finished,
            Err(error) if error.is_cancelled() => TaskEnd::Aborted,
            Err(error) => TaskEnd::Panicked(format!("task `{name}`: {error}")),
        })
    }
}

struct Tcp(TcpListener);

impl Accept for Tcp {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Connection, SocketAddr)>> {
        Box::pin(async {
            let (stream, peer) = self.0.accept().await?;
            // Answers are small and waited for: never hold one back to fill a packet.
            stream.set_nodelay(true)?;
            Ok((Connection::tcp(stream), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Runs `task` on a thread of its own, which begins with `begin`.
fn on_thread(
    name: &'static str,
    task: BoxFuture<'static, ()>,
    begin: impl FnOnce() + Send + 'static,
) -> Task {
    let (ended, end) = oneshot::channel();
    let (abort, aborted) = oneshot::channel::<()>();
    let run = move || {
        begin();
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("the machine has room for one more runtime");
        // What the task spawned there ends with the runtime, before anybody hears of the end.
        let done = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    Ok(()) = aborted => TaskEnd::Aborted,
                    () = task => TaskEnd::Finished,
                }
            })
        }));
        drop(runtime);
        // Nobody has to be waiting.
        let _ = ended.send(done.unwrap_or_else(|panic| panicked(name, &*panic)));
    };
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    // Dropped with the thread that did not start, `ended` says so to whoever waits.
    if let Err(error) = thread {
        no_thread(name, &error);
    }
    Task::new(OnThread { abort: Mutex::new(Some(abort)), end })
}

/// Lets other threads go before this one, where a thread has a priority of its own: while they
/// need the processor, it gets a third of what each of them does.
fn step_behind() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(5) {
        tracing::debug!(%error, "a thread in the background takes as much as any other");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::timeout;

    #[tokio::test(start_paused = true)]
    async fn a_timeout_takes_what_is_ready_and_ends_what_is_not() {
        let host = TokioHost::current();
        let limit = Duration::from_millis(10);
        assert_eq!(timeout(&host, limit, async { 7 }).await, Ok(7));
        assert!(timeout(&host, limit, std::future::pending::<()>()).await.is_err());
        assert!(host.now() >= limit);
    }

    #[tokio::test]
    async fn a_task_tells_how_it_ended() {
        let host = TokioHost::current();
        assert_eq!(host.spawn("ends", Box::pin(async {})).await, TaskEnd::Finished);
        let task = host.spawn("waits", Box::pin(std::future::pending()));
        task.abort();
        assert_eq!(task.await, TaskEnd::Aborted);
        let task = host.spawn("panics", Box::pin(async { panic!("oh") }));
        assert!(matches!(task.await, TaskEnd::Panicked(_)));
    }

    #[tokio::test]
    async fn tasks_of_a_thread_share_it_and_reach_the_network_and_it_ends_with_its_host() {
        let host = TokioHost::current();
        let thread = host.thread("side").expect("the machine has a thread");
        let listener = thread.listen(([127, 0, 0, 1], 0).into()).await.expect("a port is free");
        let address = listener.local_addr().expect("it listens").to_string();
        let (sent, mut names) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..2 {
            let (there, address, sent) = (thread.clone(), address.clone(), sent.clone());
            let task = async move {
                there.connect(&address).await.expect("somebody listens");
                there.sleep(Duration::from_millis(1)).await;
                sent.send(thread::current().name().map(str::to_owned)).expect("the test waits");
            };
            assert_eq!(thread.spawn("connects", Box::pin(task)).await, TaskEnd::Finished);
            assert_eq!(names.recv().await, Some(Some("side".to_owned())));
        }
        let waits = thread.spawn("waits", Box::pin(std::future::pending()));
        drop(thread);
        assert_eq!(waits.await, TaskEnd::Aborted);
    }

    #[tokio::test]
    async fn a_connection_goes_on_where_it_was_taken() {
        let host = TokioHost::current();
        let thread = host.thread("side").expect("the machine has a thread");
        let listener = host.listen(([127, 0, 0, 1], 0).into()).await.expect("a port is free");
        let address = listener.local_addr().expect("it listens").to_string();
        let mut ours = host.connect(&address).await.expect("somebody listens");
        let (theirs, _) = listener.accept().await.expect("somebody connects");
        let echo = async move {
            let mut here = theirs.here().expect("the machine has room");
            let mut byte = [0];
            here.read_exact(&mut byte).await.expect("it is sent");
            here.write_all(&byte).await.expect("it is open");
        };
        let echo = thread.spawn("echo", Box::pin(echo));
        ours.write_all(b"7").await.expect("it is open");
        let mut answer = [0];
        ours.read_exact(&mut answer).await.expect("it is answered");
        assert_eq!(answer, *b"7");
        assert_eq!(echo.await, TaskEnd::Finished);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_nobody_waits_for_goes_behind_the_others() {
        let host = TokioHost::current();
        let own = || rustix::process::getpriority_process(None).expect("a priority");
        let (sender, received) = oneshot::channel();
        let behind = async move { sender.send(own()).expect("somebody waits") };
        drop(host.spawn_behind("behind", Box::pin(behind)));
        assert!(received.await.expect("it ran") > own());
    }

    #[tokio::test]
    async fn a_thread_may_block_and_tells_how_it_ended() {
        let host = TokioHost::current();
        let (sent, received) = std::sync::mpsc::channel();
        let blocks = host.spawn_thread("blocks", Box::pin(async move { _ = received.recv() }));
        sent.send(()).expect("it waits, and this thread goes on");
        assert_eq!(blocks.await, TaskEnd::Finished);
        let task = host.spawn_thread("waits", Box::pin(std::future::pending()));
        task.abort();
        assert_eq!(task.await, TaskEnd::Aborted);
        let task = host.spawn_thread("panics", Box::pin(async { panic!("oh") }));
        assert_eq!(task.await, TaskEnd::Panicked("task `panics`: oh".to_owned()));
    }
}
