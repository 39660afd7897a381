use std::io;

use catga_host::BoxFuture;

/// What ends a server: a signal to the process, or a future of the program's own.
pub(crate) enum Stop {
    Signals(Signals),
    /// Taken when it has ended.
    Future(Option<BoxFuture<'static, ()>>),
}

impl Stop {
    /// Listens for signals, unless the program has a `future` of its own.
    pub(crate) fn listen(future: Option<BoxFuture<'static, ()>>) -> io::Result<Self> {
        match future {
            Some(future) => Ok(Self::Future(Some(future))),
            None => Signals::listen().map(Self::Signals),
        }
    }

    /// Ends with the next request to stop. A future asks once, signals as often as they come.
    ///
    /// # Cancel safety
    /// A signal is not lost when the future is dropped.
    pub(crate) async fn asked(&mut self) {
        match self {
            Self::Signals(signals) => signals.next().await,
            Self::Future(future) => match future {
                Some(asked) => {
                    asked.await;
                    *future = None;
                }
                None => std::future::pending().await,
            },
        }
    }
}

#[cfg(unix)]
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
