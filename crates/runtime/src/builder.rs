use std::any::{TypeId, type_name};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use catga_core::{
    Contract, Durable, Each, Event, Handle, Identity, Layer, Message, NodeName, Plain,
    PlainDispatch, Registrar, Registry, Request, Scope, Service, Stack, Subscriber,
};
use catga_host::{Deadlines, Host, Task, TokioHost};

use crate::commit::Committer;
use crate::durable::{DurableDispatch, RemoteDispatch};
use crate::forward::{Remotes, Requests};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::node::Inner;
use crate::projector::{Projections, resume};
use crate::subscription::{Subscription, Subscriptions};
use crate::views::Views;
use crate::{Backend, Limits, Memory, Node, Parts, StartError, StartFault, Wiring};

/// Collects what a node is made of, and starts it.
///
/// A layer goes around the services and subscribers that are added after it; the first is the
/// outermost. Everything that does not fit is reported at once by [`start`](Self::start).
pub struct Builder<B = Memory, E = Identity, H = Identity> {
    name: NodeName,
    host: Option<Arc<dyn Host>>,
    limits: Limits,
    backend: B,
    edge: Arc<E>,
    handlers: Arc<H>,
    steps: Vec<Step>,
}

/// What adding a service or a subscriber does once the node is put together.
type Step = Box<dyn FnOnce(&mut Assembly) + Send>;

impl Default for Builder {
    fn default() -> Self {
        Self {
            name: NodeName::new("node1"),
            host: None,
            limits: Limits::default(),
            backend: Memory,
            edge: Arc::new(Identity),
            handlers: Arc::new(Identity),
            steps: Vec::new(),
        }
    }
}

impl<B: Backend, E: Layer, H: Layer> Builder<B, E, H> {
    /// The node's name (`NODE_ID`); `node1` if nothing is said.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = NodeName::new(name);
        self
    }

    /// How much the node takes on.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The machine that it runs on; the current tokio runtime if nothing is said.
    #[must_use]
    pub fn host(mut self, host: Arc<dyn Host>) -> Self {
        self.host = Some(host);
        self
    }

    /// What the node runs on; memory if nothing is said.
    pub fn backend<C: Backend>(self, backend: C) -> Builder<C, E, H> {
        let Self { name, host, limits, backend: _, edge, handlers, steps } = self;
        Builder { name, host, limits, backend, edge, handlers, steps }
    }

    /// Adds an edge layer: once per call, on the node that was called.
    pub fn edge<L: Layer>(self, layer: L) -> Builder<B, Stack<Arc<E>, L>, H> {
        let Self { name, host, limits, backend, edge, handlers, steps } = self;
        let edge = Arc::new(Stack::new(edge, layer));
        Builder { name, host, limits, backend, edge, handlers, steps }
    }

    /// Adds a handler layer: around every attempt of a handler and every delivery.
    pub fn layer<L: Layer>(self, layer: L) -> Builder<B, E, Stack<Arc<H>, L>> {
        let Self { name, host, limits, backend, edge, handlers, steps } = self;
        let handlers = Arc::new(Stack::new(handlers, layer));
        Builder { name, host, limits, backend, edge, handlers, steps }
    }

    /// Adds a service.
    #[must_use]
    pub fn service<S: Service>(self, make: impl FnOnce(&mut Wiring) -> S + Send + 'static) -> Self {
        self.try_service(move |wiring| Ok::<_, std::convert::Infallible>(make(wiring)))
    }

    /// Adds a service whose making may fail; the node then does not start.
    #[must_use]
    pub fn try_service<S: Service, X: fmt::Display>(
        mut self,
        make: impl FnOnce(&mut Wiring) -> Result<S, X> + Send + 'static,
    ) -> Self {
        let (edge, handlers) = (self.edge.clone(), self.handlers.clone());
        self.steps.push(Box::new(move |assembly| assembly.add_service(make, edge, handlers)));
        self
    }

    /// Adds a subscriber of a type of its own.
    #[must_use]
    pub fn subscriber<T: Subscriber>(mut self, subscriber: T) -> Self {
        let handlers = self.handlers.clone();
        self.steps.push(Box::new(move |assembly| {
            assembly.add_subscriber(subscriber, handlers, Views::default())
        }));
        self
    }

    /// Says that the program needs every message of the contract `C` handled here.
    #[must_use]
    pub fn requires<C: Contract>(mut self) -> Self {
        self.steps.push(Box::new(|assembly| assembly.wiring.refer_to::<C>()));
        self
    }

    /// Puts the node together, opens its journal and starts it; ready once every projection holds
    /// what the journal had.
    ///
    /// # Errors
    /// Everything that does not fit, at once; nothing is opened then. Or what kept the journal
    /// from being opened.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no node behind; a session may have been opened in the journal.
    pub async fn start(self) -> Result<Node, StartError> {
        let mut assembly = Assembly::new();
        self.limits.check(&mut assembly.wiring.faults);
        if self.name.as_str().trim().is_empty() {
            assembly.wiring.faults.push(StartFault::BadOption {
                option: "name",
                value: format!("{:?}", self.name.as_str()),
                why: "a node needs a name".to_owned(),
            });
        }
        self.backend.check(&mut assembly.wiring.faults);
        for step in self.steps {
            step(&mut assembly);
        }
        let handled = std::mem::take(&mut assembly.handled);
        assembly.wiring.check_contracts(|message| handled.contains_key(&message));
        let faults = std::mem::take(&mut assembly.wiring.faults);
        if !faults.is_empty() {
            return Err(StartError::new(faults));
        }
        let host = self.host.unwrap_or_else(|| Arc::new(TokioHost::current()));
        let opened = self.backend.open(host.clone(), self.name.clone(), &self.limits).await;
        let Parts { journal, views, peers } = opened.map_err(journal_fault)?;
        let deadlines = Deadlines::new(host.clone());
        let watch = host.spawn("deadlines", Box::pin(deadlines.clone().watch()));
        let opened = Committer::open(
            host.clone(),
            journal.clone(),
            peers,
            deadlines,
            self.limits.clone(),
            self.name.clone(),
        );
        let committer = match opened.await {
            Ok(committer) => committer,
            Err(fault) => {
                watch.abort();
                journal.shutdown().await;
                return Err(journal_fault(fault));
            }
        };
        if let Some(views) = views {
            let projectors = &assembly.wiring.projectors;
            resume(projectors, &host, &views, journal.incarnation()).await;
        }
        let node = assembly.launch(self.name, host, self.limits, committer, watch);
        // What this node showed before it was started again, it shows from the first read on.
        node.0.projections.reach(node.position().offset).await;
        node.0.place_subscribers().await;
        Ok(node)
    }
}

fn journal_fault(fault: catga_core::Fault) -> StartError {
    StartError::new(vec![StartFault::Journal(fault)])
}

impl<B: fmt::Debug, E, H> fmt::Debug for Builder<B, E, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("backend", &self.backend)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A node being put together, before its journal is open.
struct Assembly {
    wiring: Wiring,
    /// The service that handles each message type.
    handled: HashMap<TypeId, &'static str>,
    /// The views behind each message type.
    views: HashMap<TypeId, Views>,
    subscribers: HashSet<&'static str>,
    subscriptions: Vec<Arc<Subscription>>,
    registry: Registry,
    /// The handlers that need an open journal.
    durable: Vec<Finish>,
}

/// What adding a durable handler does once the journal is open.
type Finish = Box<dyn FnOnce(&mut Registry, &mut Remotes, &Arc<Committer>, &Metrics) + Send>;

impl Assembly {
    fn new() -> Self {
        Self {
            wiring: Wiring::new(),
            handled: HashMap::new(),
            views: HashMap::new(),
            subscribers: HashSet::new(),
            subscriptions: Vec::new(),
            registry: Registry::default(),
            durable: Vec::new(),
        }
    }

    fn add_service<S: Service, X: fmt::Display, E: Layer, H: Layer>(
        &mut self,
        make: impl FnOnce(&mut Wiring) -> Result<S, X>,
        edge: Arc<E>,
        handlers: Arc<H>,
    ) {
        let made = make(&mut self.wiring);
        let views = self.wiring.take_views();
        match made {
            Ok(service) => S::register(&mut Registering {
                assembly: self,
                service: Arc::new(service),
                layers: Arc::new(Stack::new(edge.clone(), handlers.clone())),
                edge,
                handlers,
                views,
            }),
            Err(error) => self.wiring.faults.push(StartFault::ServiceFailed {
                service: type_name::<S>(),
                reason: error.to_string(),
            }),
        }
    }

    fn add_subscriber<T: Subscriber, L: Layer>(
        &mut self,
        subscriber: T,
        layers: Arc<L>,
        views: Views,
    ) {
        const {
            assert!(
                matches!(T::EACH, Each::Cluster) || !T::Scope::RECORDS,
                "only an `Each::Cluster` subscriber takes a `Tx`: with `Each::Node` every node gets \
                 the event, and each would record its own effect"
            );
        }
        self.wiring.name::<T::Event>();
        if !self.subscribers.insert(T::NAME) {
            self.wiring.faults.push(StartFault::TwoSubscribers { name: T::NAME });
        }
        match (<T::Event as Event>::EPHEMERAL, T::EACH) {
            (true, Each::Cluster) => self.wiring.faults.push(StartFault::EphemeralInCluster {
                name: T::NAME,
                event: <T::Event as Message>::NAME,
            }),
            (true, _) => self.registry.subscribe(subscriber, layers),
            (false, _) => {
                self.subscriptions.push(Arc::new(Subscription::new(subscriber, layers, views)));
            }
        }
    }

    /// Everything fits and the journal is open: puts the node to work.
    fn launch(
        self,
        name: NodeName,
        host: Arc<dyn Host>,
        limits: Limits,
        committer: Arc<Committer>,
        deadlines: Task,
    ) -> Node {
        let journal = committer.journal.clone();
        let metrics = Metrics::new();
        let mut registry = self.registry;
        let mut remotes = Remotes::new();
        for finish in self.durable {
            finish(&mut registry, &mut remotes, &committer, &metrics);
        }
        let now = journal.applied().get();
        let mut tasks = vec![deadlines];
        for projector in self.wiring.projectors.clone() {
            tasks.push(
                host.spawn("projection", Box::pin(projector.run(host.clone(), journal.clone()))),
            );
        }
        for subscription in &self.subscriptions {
            let run = subscription.clone().run(committer.clone(), now);
            tasks.push(host.spawn("subscriber", Box::pin(run)));
        }
        tracing::info!(node = %name, log = journal.guarantees().log, "started");
        let node = Arc::new(Inner {
            name,
            host,
            limits,
            journal,
            registry,
            remotes,
            views: self.views,
            committer,
            projections: Projections(self.wiring.projectors),
            subscriptions: Subscriptions(self.subscriptions),
            metrics,
            lifecycle: Lifecycle::running(),
            tasks: Mutex::new(tasks),
            endpoint: OnceLock::new(),
        });
        self.wiring
            .link
            .set(Arc::downgrade(&node))
            .expect("the link is set once, when the one node of this builder starts");
        if let Some(peers) = &node.committer.peers {
            peers.serve(Arc::new(Requests(Arc::downgrade(&node))));
        }
        Node(node)
    }
}

/// Takes the handlers of one service.
struct Registering<'a, S, E, H> {
    assembly: &'a mut Assembly,
    service: Arc<S>,
    edge: Arc<E>,
    handlers: Arc<H>,
    /// Both, for handlers that run once per call.
    layers: Arc<Stack<Arc<E>, Arc<H>>>,
    views: Views,
}

impl<S: Service, E: Layer, H: Layer> Registering<'_, S, E, H> {
    /// Notes that the service handles `M`; false if another handler was first.
    fn claim<M: Request>(&mut self) -> bool {
        let assembly = &mut *self.assembly;
        assembly.wiring.name::<M>();
        if let Some(first) = assembly.handled.insert(TypeId::of::<M>(), S::NAME) {
            let services = [first, S::NAME];
            let fault = StartFault::TwoHandlers { message: <M as Message>::NAME, services };
            assembly.wiring.faults.push(fault);
            return false;
        }
        assembly.views.insert(TypeId::of::<M>(), self.views.clone());
        true
    }
}

impl<S: Service, E: Layer, H: Layer> Registrar<S> for Registering<'_, S, E, H> {
    fn durable<M>(&mut self)
    where
        M: Request,
        S: Handle<M, Scope = Durable>,
    {
        if !self.claim::<M>() {
            return;
        }
        let (service, edge) = (self.service.clone(), self.edge.clone());
        let (handlers, views) = (self.handlers.clone(), self.views.clone());
        self.assembly.durable.push(Box::new(move |registry, remotes, committer, metrics| {
            let dispatch = || DurableDispatch {
                service: service.clone(),
                edge: edge.clone(),
                handlers: handlers.clone(),
                committer: committer.clone(),
                views: views.clone(),
                metrics: metrics.handler(M::NAME),
            };
            if committer.peers.is_some() {
                remotes.insert(M::NAME, Box::new(RemoteDispatch::<M, _, _, _>::new(dispatch())));
            }
            registry.insert::<M>(dispatch());
        }));
    }

    fn plain<M>(&mut self)
    where
        M: Request,
        S: Handle<M, Scope = Plain>,
    {
        if self.claim::<M>() {
            let handler = PlainDispatch::new(self.service.clone(), self.layers.clone());
            self.assembly.registry.insert::<M>(handler);
        }
    }

    fn subscriber<T: Subscriber>(&mut self, make: fn(Arc<S>) -> T) {
        let subscriber = make(self.service.clone());
        self.assembly.add_subscriber(subscriber, self.handlers.clone(), self.views.clone());
    }
}
