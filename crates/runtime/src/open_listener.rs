use std::fmt;
use std::net::SocketAddr;

use catga_host::{BoxFuture, Listener};

use crate::Node;

/// A listener that was opened while the node was starting, so that its peers reach it, and which
/// whoever serves the node takes over.
///
/// # Contract
/// 1. Once it was dropped or taken, it accepts nothing any more.
/// 2. The links and requests that are under way then go on.
pub trait OpenListener: fmt::Debug + Send + Sync + 'static {
    /// Where it listens, or listened before it was taken.
    fn local_addr(&self) -> SocketAddr;

    /// Gives it up, once. None if it was taken before.
    ///
    /// # Cancel safety
    /// Dropping the future may close the listener.
    fn take(&self) -> BoxFuture<'_, Option<Listener>>;
}

impl Node {
    /// Where the node has listened since it was starting, if it has; whoever takes the listener
    /// over listens there as well.
    pub fn listening_at(&self) -> Option<SocketAddr> {
        self.0.listener.as_ref().map(|listener| listener.local_addr())
    }

    /// Takes over the listener that was opened while the node was starting. None if there is none,
    /// if it was taken before, or if the node has stopped.
    ///
    /// # Cancel safety
    /// Dropping the future may close the listener.
    pub async fn take_listener(&self) -> Option<Listener> {
        match &self.0.listener {
            Some(listener) => listener.take().await,
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};

    use catga_core::{Fault, NodeName};
    use catga_host::{Accept, Connection, Host};

    use super::*;
    use crate::{Backend, Builder, Memory, Parts};

    /// Holds a door, of which the test sees whether it is there.
    #[derive(Debug)]
    struct Opened(Mutex<Option<Arc<Door>>>);

    #[derive(Debug)]
    struct Door;

    struct Standing(#[expect(dead_code, reason = "is dropped with the listener")] Arc<Door>);

    fn address() -> SocketAddr {
        ([127, 0, 0, 1], 5001).into()
    }

    impl OpenListener for Opened {
        fn local_addr(&self) -> SocketAddr {
            address()
        }

        fn take(&self) -> BoxFuture<'_, Option<Listener>> {
            let door = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            Box::pin(async { door.map(|door| Listener::new(Standing(door))) })
        }
    }

    impl Accept for Standing {
        fn accept(&self) -> BoxFuture<'_, io::Result<(Connection, SocketAddr)>> {
            Box::pin(pending())
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(address())
        }
    }

    #[derive(Debug)]
    struct Meeting(Arc<Opened>);

    impl Backend for Meeting {
        async fn open(self, host: Arc<dyn Host>, node: NodeName) -> Result<Parts, Fault> {
            Ok(Memory.open(host, node).await?.with_listener(self.0))
        }
    }

    /// A node that has a listener, and the door behind it.
    async fn start() -> (Node, Arc<Door>) {
        let door = Arc::new(Door);
        let opened = Arc::new(Opened(Mutex::new(Some(door.clone()))));
        let node = Builder::default().backend(Meeting(opened)).start().await.expect("it starts");
        assert_eq!(node.listening_at(), Some(address()));
        (node, door)
    }

    #[tokio::test]
    async fn a_listener_is_taken_once_and_stays_with_its_taker() {
        let (node, door) = start().await;
        let listener = node.take_listener().await.expect("nobody was first");
        assert!(node.take_listener().await.is_none());
        assert_eq!(node.listening_at(), Some(address()), "it is still where the node listens");
        node.shutdown().await;
        drop(node);
        assert_eq!(Arc::strong_count(&door), 2, "its taker has it");
        drop(listener);
        assert_eq!(Arc::strong_count(&door), 1);
    }

    #[tokio::test]
    async fn a_listener_that_nobody_took_closes_with_the_node() {
        let (node, door) = start().await;
        node.shutdown().await;
        assert_eq!(Arc::strong_count(&door), 1, "it has stopped");

        let (node, door) = start().await;
        assert_eq!(Arc::strong_count(&door), 2);
        drop(node);
        assert_eq!(Arc::strong_count(&door), 1, "nobody holds it any more");
    }
}
