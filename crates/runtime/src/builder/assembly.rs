use std::any::{TypeId, type_name};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use catga_core::{
    Durable, Each, Event, Handle, Layer, Message, NodeName, Plain, PlainDispatch, Registrar,
    Registry, Request, Scope, Service, Stack, Subscriber,
};
use catga_host::{Host, Task};

use crate::commit::Committer;
use crate::durable::{DurableDispatch, RemoteDispatch};
use crate::forward::{Remotes, Requests};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::node::Inner;
use crate::projector::Projections;
use crate::subscription::{Subscription, Subscriptions};
use crate::views::Views;
use crate::{Limits, Node, OpenListener, StartFault, Wiring};

/// A node being put together, before its journal is open.
pub(super) struct Assembly {
    pub(super) wiring: Wiring,
    /// The service that handles each message type.
    pub(super) handled: HashMap<TypeId, &'static str>,
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
    pub(super) fn new() -> Self {
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

    pub(super) fn add_service<S: Service, X: fmt::Display, E: Layer, H: Layer>(
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

    pub(super) fn add_subscriber<T: Subscriber, L: Layer>(
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
    pub(super) fn launch(
        self,
        name: NodeName,
        host: Arc<dyn Host>,
        limits: Limits,
        committer: Arc<Committer>,
        deadlines: Task,
        listener: Option<Arc<dyn OpenListener>>,
    ) -> Node {
        let journal = committer.journal.clone();
        let metrics = Metrics::new();
        let mut registry = self.registry;
        let mut remotes = Remotes::new();
        for finish in self.durable {
            finish(&mut registry, &mut remotes, &committer, &metrics);
        }
        let now = journal.applied().get();
        let session = host.spawn("session", Box::pin(committer.clone().keep_open()));
        let mut tasks = vec![deadlines, session];
        if committer.peers.is_some() {
            let steward = committer.clone().look_after_engine();
            tasks.push(host.spawn("steward", Box::pin(steward)));
        }
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
            listener,
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
