//! Two machines of one network, and what tests do with a connection between them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use catga::host::{Connection, Elapsed, Host, Listener, timeout};
use catga_testkit::disk::SimDisk;
use catga_testkit::network::SimNetwork;
use catga_testkit::{Trace, VirtualHost};
use tokio::io::AsyncReadExt;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// How long bytes take at most in these tests.
pub(crate) const LATENCY: Duration = Duration::from_millis(10);

pub(crate) struct Two {
    pub(crate) trace: Trace,
    pub(crate) network: SimNetwork,
    pub(crate) one: Arc<VirtualHost>,
    pub(crate) two: Arc<VirtualHost>,
}

impl Two {
    pub(crate) fn new(seed: u64) -> Self {
        let trace = Trace::new();
        trace.keep_lines();
        let network = SimNetwork::new(seed, trace.clone());
        network.set_latency(Duration::from_millis(1)..=LATENCY);
        let machine = |seed: u64, name: &str| {
            VirtualHost::in_network(seed, SimDisk::new(seed), &network, name)
        };
        let (one, two) = (machine(seed + 1, "node1"), machine(seed + 2, "node2"));
        Self { trace, network, one, two }
    }

    pub(crate) async fn listen(&self) -> Listener {
        listen(&self.two).await
    }

    /// A connection from one to two, and its end there.
    pub(crate) async fn joined(&self) -> (Connection, Connection, Listener) {
        let listener = self.listen().await;
        let caller = self.one.connect("node2:5001").await.expect("somebody listens");
        let (accepted, _) = listener.accept().await.expect("it was made");
        (caller, accepted, listener)
    }
}

pub(crate) async fn listen(host: &VirtualHost) -> Listener {
    host.listen("0.0.0.0:5001".parse().expect("an address")).await.expect("the port is free")
}

/// Reads to the end.
pub(crate) async fn read_all(connection: &mut Connection) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).await.map(|_| bytes)
}

/// What comes of `future` within `time`.
pub(crate) async fn within<T>(
    host: &VirtualHost,
    time: Duration,
    future: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    timeout(host, time, future).await
}
