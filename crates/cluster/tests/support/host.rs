use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catga_host::{BoxFuture, Connection, Files, Host, Listener, Task, TokioHost};

use super::Random;

/// The machine that the suite runs on: the paused clock of the simulation, and its seed.
#[derive(Debug)]
pub struct SimHost {
    tokio: TokioHost,
    random: Mutex<Random>,
}

impl SimHost {
    pub fn new(seed: u64) -> Self {
        Self { tokio: TokioHost::current(), random: Mutex::new(Random::new(seed)) }
    }
}

impl Host for SimHost {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.tokio.spawn(name, task)
    }

    fn spawn_thread(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.tokio.spawn(name, task)
    }

    fn now(&self) -> Duration {
        self.tokio.now()
    }

    fn wall_ms(&self) -> u64 {
        self.now().as_millis() as u64
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.tokio.sleep(duration)
    }

    fn random(&self) -> u64 {
        self.random.lock().expect("no holder panics").next()
    }

    fn listen(&self, _: SocketAddr) -> BoxFuture<'static, io::Result<Listener>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn connect(&self, _: &str) -> BoxFuture<'static, io::Result<Connection>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn files(&self) -> Arc<dyn Files> {
        self.tokio.files()
    }
}
