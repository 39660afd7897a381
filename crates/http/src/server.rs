use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use catga_host::{BoxFuture, Listener, timeout};
use catga_runtime::{Backups, Node};

use crate::connections::{Bounds, Connections};
use crate::leaving::Leaving;
use crate::routes::{Apps, Settings};
use crate::stop::Stop;
use crate::{AdminToken, Routes, ServeError, from_env};

/// Serves `routes` until the process is asked to stop, then drains the node and returns.
///
/// It listens on the port `PORT` (5001) of the address `BIND` (127.0.0.1: nobody is authenticated
/// yet, so that being reached from elsewhere is a decision). A node whose peers reach it already
/// is served where they do. If `ADMIN_TOKEN` is set, whoever shows it may change the cluster (see
/// [`Server::admin`]), and have backups made in the directory `BACKUP_DIR`, if that is set, of which
/// the newest `BACKUP_KEEP` are kept (all of them). SIGTERM and Ctrl-C drain it; a second one ends it at once. [`Server`]
/// has everything to choose.
///
/// # Errors
/// When the routes do not fit, the environment is wrong or the port is taken; when a second signal
/// came; or when the node failed, as by a disk that does.
pub async fn serve(node: Node, routes: Routes) -> Result<(), ServeError> {
    let server = Server::new(node, routes);
    let server = match from_env::admin_token()? {
        Some(token) => server.admin(token),
        None => server,
    };
    let server = match from_env::backups_from_env()? {
        Some(backups) => server.backups(backups),
        None => server,
    };
    server.run().await
}

/// A server of one node, before it runs.
#[must_use = "a server does nothing before it runs"]
pub struct Server {
    node: Node,
    routes: Routes,
    address: Option<SocketAddr>,
    bounds: Bounds,
    body_wait: Duration,
    grace: Duration,
    admin: Option<AdminToken>,
    backups: Option<Backups>,
    drain_on: Option<BoxFuture<'static, ()>>,
}

impl Server {
    /// A server as [`serve`] runs it.
    pub fn new(node: Node, routes: Routes) -> Self {
        Self {
            node,
            routes,
            address: None,
            bounds: Bounds::default(),
            body_wait: Settings::default().body_wait,
            grace: Duration::from_millis(500),
            admin: None,
            backups: None,
            drain_on: None,
        }
    }

    /// Where to listen, in place of what the environment says. Port 0 takes any that is free; the
    /// node's endpoint tells which. If the node's peers reach it elsewhere already, they go on to
    /// do so, and the rest is served here.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// How long the head of a request may take to arrive, and how long a connection may be kept
    /// open without one: 10 s.
    pub fn header_wait(mut self, wait: Duration) -> Self {
        self.bounds.header_wait = wait;
        self
    }

    /// How long a client may take nothing of its answer: 30 s. One that takes some now and then may
    /// be as slow as it is.
    pub fn answer_wait(mut self, wait: Duration) -> Self {
        self.bounds.answer_wait = wait;
        self
    }

    /// How many connections there are at once: 4096. Links of peers do not count. When there are as
    /// many, probes and peers still get through, others are answered 503, and past some more of
    /// those nobody is.
    pub fn connections_max(mut self, max: usize) -> Self {
        self.bounds.connections_max = max.max(1);
        self
    }

    /// How long the body of a request may take to arrive: 30 s.
    pub fn body_wait(mut self, wait: Duration) -> Self {
        self.body_wait = wait;
        self
    }

    /// Lets operators who show `token` change the cluster over HTTP: `DELETE
    /// /cluster/members/NAME` takes a member out, `POST /cluster/members/NAME/promote` gives a
    /// learner its vote, `POST /cluster/members/NAME/lead` moves leadership. Routes of the
    /// program's own may be [for operators](crate::Route::for_operators) as well. Without a token
    /// there are no such routes, and OpenAPI names none.
    pub fn admin(mut self, token: AdminToken) -> Self {
        self.admin = Some(token);
        self
    }

    /// Lets operators have backups of the node made among these, by `POST /cluster/backup`: it is
    /// answered when the backup is made, with `201` and what is in it. Where a node has no such
    /// directory the answer is `404`, and `409` while another backup is made there.
    ///
    /// ```no_run
    /// # fn example(server: catga_http::Server) {
    /// use catga_runtime::Backups;
    ///
    /// let server = server.backups(Backups::new("/backups/shop").keep(30));
    /// # }
    /// ```
    pub fn backups(mut self, backups: impl Into<Backups>) -> Self {
        self.backups = Some(backups.into());
        self
    }

    /// How long a draining server still serves, so that whoever balances the load can see that it is
    /// not ready: half a second. For as long again it tells whoever still comes to ask another node,
    /// so that nobody is lost who connects while it stops listening. A member of a cluster stays for
    /// as long once more when it has finished, so that others which drain at the same time can finish
    /// too.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Drains when `asked` ends, in place of signals to the process.
    pub fn drain_on(mut self, asked: impl Future<Output = ()> + Send + 'static) -> Self {
        self.drain_on = Some(Box::pin(asked));
        self
    }

    /// Serves until it is asked to stop. Then, in this order: it says that it is not ready, goes
    /// on for the [`grace`](Self::grace) and asks whoever it answers to come by another connection,
    /// sends callers elsewhere for as long, stops accepting, finishes the requests under way, waits
    /// for other members that may do so too, and shuts the node down. It waits for requests as long as the node's `drain_wait` says.
    ///
    /// # Errors
    /// As [`serve`].
    ///
    /// # Cancel safety
    /// Dropping the future stops accepting; open connections and the node go on.
    pub async fn run(self) -> Result<(), ServeError> {
        let Self { node, routes, address, bounds, body_wait, grace, admin, backups, drain_on } =
            self;
        let settings = Settings { body_wait, admin, backups, ..Settings::default() };
        let Apps { usual, crowded } = routes.assemble(node.clone(), &settings)?;
        if settings.backups.is_some() && settings.admin.is_none() {
            tracing::warn!("backups are asked for by operators, and there is no token of theirs");
        }
        let mut stop = Stop::listen(drain_on).map_err(ServeError::Signals)?;
        let (listener, local) = listen(&node, address).await?;
        let connections = Connections::new(node.host().clone(), usual, crowded, bounds);
        let endpoint = from_env::endpoint(local);
        let api = format!("{endpoint}/swagger-ui");
        tracing::info!(node = %node.name(), address = %local, api, "serving");
        node.set_endpoint(endpoint);

        tokio::select! {
            () = connections.accept_from(&listener) => {}
            () = stop.asked() => {}
            fault = node.failed() => {
                // Nobody can be answered any more but by faults; whoever starts the process again
                // sees what can be done.
                node.shutdown().await;
                return Err(ServeError::Node(fault));
            }
        }
        settings.leaving.drain();
        tracing::info!(node = %node.name(), "draining; a second signal ends at once");
        tokio::select! {
            () = drain(&node, listener, &connections, &settings.leaving, grace) => Ok(()),
            () = stop.asked() => Err(ServeError::Forced),
        }
    }
}

/// The listener of the node's own, unless the program wants to listen elsewhere.
async fn listen(
    node: &Node,
    address: Option<SocketAddr>,
) -> Result<(Listener, SocketAddr), ServeError> {
    if let Some(own) = node.listening_at()
        && address.is_none_or(|address| address == own)
        && let Some(listener) = node.take_listener().await
    {
        return Ok((listener, own));
    }
    let address = address.map_or_else(from_env::address, Ok)?;
    let listening = node.host().listen(address).await;
    let listener = listening.map_err(|reason| ServeError::listen(address, reason))?;
    let local = listener.local_addr().unwrap_or(address);
    Ok((listener, local))
}

async fn drain(
    node: &Node,
    listener: Listener,
    connections: &Connections,
    leaving: &Leaving,
    grace: Duration,
) {
    let host = &**node.host();
    let _ = timeout(host, grace, connections.accept_from(&listener)).await;
    leaving.turn_away();
    let _ = timeout(host, grace, connections.accept_from(&listener)).await;
    // Who has connected already is not sent away, and has a moment to say what it wants.
    connections.accept_waiting(&listener).await;
    drop(listener);
    let _ = timeout(host, grace, connections.ended()).await;
    let wait = node.limits().drain_wait;
    if timeout(host, wait, connections.drain()).await.is_err() {
        tracing::warn!(?wait, "requests are still under way; going on without them");
    }
    if node.cluster().status().members.len() > 1 {
        // Others may drain at the same time. What they finish needs a quorum, and so this node.
        host.sleep(grace).await;
    }
    node.shutdown().await;
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("node", &self.node)
            .field("routes", &self.routes)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::tests::{asking, connections, heard, no_room, troubled};

    /// The machine has had no room for it as long as the server accepted.
    #[tokio::test]
    async fn who_waits_at_the_listener_to_the_end_is_heard_before_it_is_closed() {
        let node = catga::Catga::builder().start().await.expect("a node starts");
        let (listener, send) = troubled(vec![no_room(), no_room()]);
        let (client, server) = asking().await;
        send.send(server).await.expect("the listener is there");
        let (connections, grace) = (connections(), Duration::from_millis(10));
        drain(&node, listener, &connections, &Leaving::default(), grace).await;
        let heard = heard(client).await;
        assert!(heard.starts_with("HTTP/1.1 200 OK") && heard.ends_with("hello"), "{heard:?}");
    }
}
