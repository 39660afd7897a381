use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::{Accept, BoxFuture, Connection, Host, Listener, Task, TaskEnd, TaskHandle};

/// The machine itself, through the tokio runtime that it was made in.
#[derive(Clone, Debug)]
pub struct TokioHost {
    runtime: Handle,
    start: Instant,
}

impl TokioHost {
    /// The host of the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn current() -> Self {
        Self { runtime: Handle::current(), start: Instant::now() }
    }
}

impl Host for TokioHost {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        Task::new(Joined { name, handle: self.runtime.spawn(task) })
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
            Ok((Connection::new(stream), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[cfg(test)]
mod tests {
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
}
