//! Where peers come in while the node starts, and afterwards.

use std::sync::Arc;

use catga_cluster::Links;
use catga_host::{Host, Listener};
use catga_runtime::OpenListener;

/// Whether peers come by HTTP, as others do to the same port.
pub(super) const UPGRADES: bool = cfg!(feature = "http");

/// Lets peers in at `listener`, until whoever serves the node takes it over.
#[cfg(feature = "http")]
pub(super) fn open(
    host: &Arc<dyn Host>,
    listener: Listener,
    links: &Links,
) -> Arc<dyn OpenListener> {
    let links = links.clone();
    let accept = move |connection| {
        let links = links.clone();
        Box::pin(async move { links.accept(connection).await }) as catga_host::BoxFuture<_>
    };
    catga_http::Entrance::open(host.clone(), listener, accept)
}

/// Lets peers in at `listener`: nothing else is served there.
#[cfg(not(feature = "http"))]
pub(super) fn open(
    host: &Arc<dyn Host>,
    listener: Listener,
    links: &Links,
) -> Arc<dyn OpenListener> {
    Arc::new(for_peers_alone::PeersAlone::open(host, listener, links.clone()))
}

#[cfg(not(feature = "http"))]
mod for_peers_alone {
    use std::net::SocketAddr;
    use std::sync::{Arc, Mutex, PoisonError};

    use catga_cluster::Links;
    use catga_host::{BoxFuture, Host, Listener, Task};
    use catga_runtime::OpenListener;

    /// A listener that nobody takes over.
    #[derive(Debug)]
    pub(super) struct PeersAlone {
        address: SocketAddr,
        accepting: Mutex<Task>,
    }

    impl PeersAlone {
        pub(super) fn open(host: &Arc<dyn Host>, listener: Listener, links: Links) -> Self {
            let address = listener.local_addr().expect("a listener knows its address");
            let accepting = async move { links.listen(listener).await };
            let accepting = Mutex::new(host.spawn("peers", Box::pin(accepting)));
            Self { address, accepting }
        }
    }

    impl OpenListener for PeersAlone {
        fn local_addr(&self) -> SocketAddr {
            self.address
        }

        fn take(&self) -> BoxFuture<'_, Option<Listener>> {
            Box::pin(std::future::ready(None))
        }
    }

    impl Drop for PeersAlone {
        fn drop(&mut self) {
            self.accepting.get_mut().unwrap_or_else(PoisonError::into_inner).abort();
        }
    }
}
