use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use catga_host::{BoxFuture, Connection, Deadlines, Host, Listener, Task, timeout};
use catga_journal::Held;
use tokio::sync::watch;

use crate::{Address, CallError, LinkState, Peers, Recipient, Serve, Topic};

use super::accepted::accept;
use super::dial::keep;
use super::dialled::Dialled;
use super::ground::Ground;
use super::shared::{CONNECTIONS_MAX, LINKS_MAX, Shared};
use super::{LinkOptions, LinkStats};

/// How long a farewell waits for what is to be sent before it.
const LEAVE_WAIT: Duration = Duration::from_secs(1);

/// How long to wait when the machine gives no connection, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The links of a node to its peers, over streams of bytes.
///
/// Clones share them, and with the last one they end. [`leave`](Self::leave) waits until the peers
/// know.
#[derive(Clone, Debug)]
pub struct Links(Arc<Owner>);

/// Ends the tasks with the last clone.
struct Owner {
    shared: Arc<Shared>,
    deadlines: Mutex<Task>,
    /// Looks after the files of TLS, where there is TLS.
    files: Mutex<Option<Task>>,
}

impl Links {
    /// Links with `options`, on the tasks, clock and network of `host`, and a thread of its own if
    /// it gives one. None is made yet.
    pub fn new(application: Arc<dyn Host>, options: LinkOptions) -> Self {
        let thread = application.thread("raft");
        let host = thread.unwrap_or_else(|| Arc::clone(&application));
        let deadlines = Deadlines::new(Arc::clone(&host));
        let ground = Ground { host, application, options, deadlines: Arc::clone(&deadlines) };
        let shared = Shared::new(Arc::new(ground));
        let deadlines = shared.spawn("link deadlines", Box::pin(deadlines.watch()));
        let ground = &shared.ground;
        let files = ground.options.tls.clone().map(|tls| {
            // Reading them may take long, where they come by a network.
            ground.application.spawn_thread("tls files", Box::pin(tls.look_after()))
        });
        let (deadlines, files) = (Mutex::new(deadlines), Mutex::new(files));
        Self(Arc::new(Owner { shared, deadlines, files }))
    }

    /// By what this node proves who it is, if it does.
    #[cfg(feature = "tls")]
    pub fn credentials(&self) -> Option<&Arc<super::Credentials>> {
        self.0.shared.ground.options.tls.as_ref()
    }

    /// Lets `handler` handle what peers ask. Requests that came before were refused. It is set
    /// once; a later one is not taken.
    pub fn serve(&self, handler: Arc<dyn Serve>) {
        if self.0.shared.handler.set(handler).is_err() {
            tracing::error!("a second handler of peers' requests was not taken");
        }
    }

    /// Keeps a link to each of `addresses`, beside those that are kept already. This node's own
    /// address is passed over.
    pub fn connect_to(&self, addresses: &[Address]) {
        for address in addresses.iter().filter(|address| **address != self.0.address()) {
            if let Err(why) = self.0.keep(address) {
                tracing::warn!(%address, why, "no link is kept");
            }
        }
    }

    /// True if there is a connection for a request to the recipient. A link to it is kept from then
    /// on.
    pub(crate) fn reach(&self, to: &Recipient) -> bool {
        self.0.way_to(to).is_ok_and(|link| link.is_up())
    }

    /// Ends the links that were dialled to `addresses`, until somebody wants them again. What
    /// peers there dial goes on.
    pub fn disconnect_from(&self, addresses: &[Address]) {
        for address in addresses {
            self.0.shared.unlink(address, "the link to it was given up");
        }
    }

    /// Serves a connection that somebody has dialled, where an upgrade, if there was one, is
    /// through. Runs until it ends.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn accept(&self, connection: Connection) {
        let shared = Arc::clone(&self.0.shared);
        if self.thread().is_none() {
            return accept(shared, connection).await;
        }
        let there = Arc::clone(&shared);
        let accept = async move {
            match connection.here() {
                Ok(connection) => accept(there, connection).await,
                Err(error) => tracing::warn!(%error, "a connection of a peer was lost"),
            }
        };
        let mut task = EndOnDrop(shared.spawn("peer link", Box::pin(accept)));
        (&mut task.0).await;
    }

    /// Serves the connections of a listener for links alone. Runs until it is dropped, or this
    /// node leaves.
    ///
    /// # Cancel safety
    /// Dropping the future ends the listening; the connections go on.
    pub async fn listen(&self, listener: Listener) {
        let shared = &self.0.shared;
        loop {
            let mut leaving = pin!(shared.leaving.notified());
            leaving.as_mut().enable();
            if shared.has_left() {
                return;
            }
            let accepted = tokio::select! {
                biased;
                () = leaving => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((connection, _)) => {
                    let accept = accept(Arc::clone(shared), connection);
                    shared.spawn("peer link", Box::pin(accept));
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection was accepted");
                    shared.ground.host.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Says farewell to all peers, after what is to be sent to them, and ends all links. Calls that
    /// are not answered are lost, and no more are taken.
    ///
    /// # Cancel safety
    /// Dropping the future may leave links without their farewell; it may be called again.
    pub async fn leave(&self) {
        let shared = &self.0.shared;
        shared.leave();
        let gone = async {
            loop {
                let mut ended = pin!(shared.ended.notified());
                ended.as_mut().enable();
                if !shared.has_connections() {
                    return;
                }
                ended.await;
            }
        };
        if timeout(&*shared.ground.host, LEAVE_WAIT, gone).await.is_err() {
            tracing::warn!("not every peer has heard the farewell");
        }
        for link in shared.links() {
            link.end("this node has left", true);
        }
    }

    /// How full the tables of the links are.
    pub fn held(&self) -> Vec<Held> {
        let shared = &self.0.shared;
        let stats = self.stats();
        let (links, connections) = shared.counts();
        vec![
            Held::new("links", links, LINKS_MAX),
            Held::new("connections of peers", connections, CONNECTIONS_MAX),
            Held::within_others("requests to send", stats.iter().map(|link| link.waiting).sum()),
            Held::within_others("requests asked", stats.iter().map(|link| link.unanswered).sum()),
        ]
    }

    /// What went through the link to each address, in their order.
    pub fn stats(&self) -> Vec<LinkStats> {
        self.0.shared.links().iter().map(|link| link.stats()).collect()
    }
}

impl Peers for Links {
    /// As the port says. A link to the recipient is kept from then on, as by
    /// [`connect_to`](Self::connect_to); while there is none, the request waits for it, unless the
    /// recipient is known by its number and met at another address: then it is reached there.
    fn call(
        &self,
        to: &Recipient,
        topic: Topic,
        request: Vec<Bytes>,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        let refused = |why: &str| CallError::NotSent(why.to_owned());
        match self.0.way_to(to) {
            Ok(link) => link.call(to.id, topic, request, within),
            Err(why) => Box::pin(std::future::ready(Err(refused(why)))),
        }
    }

    fn thread(&self) -> Option<Arc<dyn Host>> {
        let ground = &self.0.shared.ground;
        (!Arc::ptr_eq(&ground.host, &ground.application)).then(|| Arc::clone(&ground.host))
    }

    fn link(&self, address: &Address) -> watch::Receiver<LinkState> {
        match self.0.shared.link(address) {
            Some(link) => link.watch(),
            // Of that one nothing will ever be known.
            None => watch::channel(LinkState::Connecting).1,
        }
    }
}

impl Owner {
    /// This node's own.
    fn address(&self) -> Address {
        Arc::clone(&self.shared.ground.options.address)
    }

    /// The link for a request: to where its recipient is said to be or, while it is not met there, to
    /// where it is. Members that have all moved tell each other once there is a leader, and there is
    /// none before they hear each other.
    fn way_to(&self, to: &Recipient) -> Result<Arc<Dialled>, &'static str> {
        let said = self.keep(&to.address);
        let Some(id) = to.id else { return said };
        if said.as_ref().is_ok_and(|link| link.is_up_to(id)) {
            return said;
        }
        let met = self.shared.links().into_iter().find(|link| link.is_up_to(id));
        met.map_or(said, Ok)
    }

    /// The link to `address`, which is kept from now on.
    fn keep(&self, address: &Address) -> Result<Arc<Dialled>, &'static str> {
        let shared = &self.shared;
        if shared.has_left() {
            return Err("this node has left");
        }
        if *address == shared.ground.options.address {
            return Err("it is for this node itself");
        }
        let link = shared.link(address).ok_or("this node has too many links")?;
        let mut task = link.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_none() {
            let keep = keep(Arc::clone(shared), Arc::clone(&link));
            *task = Some(shared.spawn("peer link", Box::pin(keep)));
        }
        drop(task);
        Ok(link)
    }
}

/// Ends a task with whoever waits for it.
struct EndOnDrop(Task);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.deadlines.get_mut().unwrap_or_else(PoisonError::into_inner).abort();
        if let Some(files) = self.files.get_mut().unwrap_or_else(PoisonError::into_inner) {
            files.abort();
        }
        for link in self.shared.links() {
            link.end("this node has ended", true);
        }
        // Those that peers have dialled are their own tasks.
        self.shared.leave();
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").field("links", &self.shared.links()).finish_non_exhaustive()
    }
}
