mod assembly;

use std::fmt;
use std::sync::Arc;

use catga_core::{Contract, Identity, Layer, NodeName, Service, Stack, Subscriber};
use catga_host::{Deadlines, Host, TokioHost};

use self::assembly::Assembly;
use crate::commit::Committer;
use crate::projector::resume;
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
        // Boxed: a backend's start is a large future.
        let opened = Box::pin(self.backend.open(host.clone(), self.name.clone())).await;
        let Parts { journal, views, peers, listener } = opened.map_err(journal_fault)?;
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
        let node = assembly.launch(self.name, host, self.limits, committer, watch, listener);
        // What this node showed before it was started again, it shows from the first read on.
        node.0.projections.reach(node.position().offset).await;
        node.0.subscriptions.place(&node.0.committer).await;
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
