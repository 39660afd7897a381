use std::any::{TypeId, type_name};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use catga_core::{Contract, ContractList, Message, Projection, TypeMap, View, ViewCell};
use catga_journal::Watermark;

use crate::node::Inner;
use crate::projector::Projector;
use crate::views::Views;
use crate::{Client, OwnNode, StartFault};

/// What a service takes while it is built: views of projections, and clients of other services.
///
/// The node folds each projection once, however many services read it.
pub struct Wiring {
    cells: TypeMap,
    pub(crate) projectors: Vec<Projector>,
    /// The Rust type behind each written name.
    names: BTreeMap<&'static str, (TypeId, &'static str)>,
    /// Each contract that a client was taken of.
    contracts: Vec<(&'static str, ContractList)>,
    /// The views that the service being built has taken.
    taken: Vec<Arc<Watermark>>,
    pub(crate) link: Arc<OnceLock<Weak<Inner>>>,
    pub(crate) faults: Vec<StartFault>,
}

impl Wiring {
    pub(crate) fn new() -> Self {
        Self {
            cells: TypeMap::default(),
            projectors: Vec::new(),
            names: BTreeMap::new(),
            contracts: Vec::new(),
            taken: Vec::new(),
            link: Arc::default(),
            faults: Vec::new(),
        }
    }

    /// A view of the projection `P`, which this node folds from now on.
    ///
    /// A command of the service that takes it is decided and answered only when the view holds
    /// what the caller may expect to see.
    pub fn projection<P: Projection>(&mut self) -> View<P> {
        if let Some((cell, mark)) = self.cells.get::<P, (Arc<ViewCell<P>>, Arc<Watermark>)>() {
            let (cell, mark) = (cell.clone(), mark.clone());
            if !self.taken.iter().any(|taken| Arc::ptr_eq(taken, &mark)) {
                self.taken.push(mark);
            }
            return View::over(cell);
        }
        if self.projectors.iter().any(|projector| projector.name() == P::NAME) {
            self.faults.push(StartFault::TwoProjections { name: P::NAME });
        }
        let cell = Arc::new(ViewCell::new(P::default()));
        let projector = Projector::new(cell.clone());
        let mark = projector.mark.clone();
        self.projectors.push(projector);
        self.cells.insert::<P, _>((cell.clone(), mark.clone()));
        self.taken.push(mark);
        View::over(cell)
    }

    /// A client of the contract `C`, for services that use others. It works once the node runs.
    pub fn client<C: Contract>(&mut self) -> Client<C> {
        self.refer_to::<C>();
        Client::wired(self.own_node())
    }

    /// The node that is being built, for services that ask it something. It is there once it runs.
    pub fn own_node(&self) -> OwnNode {
        OwnNode::new(self.link.clone())
    }

    pub(crate) fn refer_to<C: Contract>(&mut self) {
        self.contracts.push((C::NAME, ContractList::of::<C>()));
    }

    /// Notes the written name of a message; another type of the same name is a fault.
    pub(crate) fn name<M: Message>(&mut self) {
        let this = (TypeId::of::<M>(), type_name::<M>());
        let known = *self.names.entry(M::NAME).or_insert(this);
        if known.0 != this.0 {
            let types = [known.1, this.1];
            self.faults.push(StartFault::SharedName { name: M::NAME, types });
        }
    }

    /// The views that were taken since the last call.
    pub(crate) fn take_views(&mut self) -> Views {
        Views::new(std::mem::take(&mut self.taken))
    }

    /// Adds a fault for each message that a contract refers to and nothing handles.
    pub(crate) fn check_contracts(&mut self, handles: impl Fn(TypeId) -> bool) {
        for (referred_by, list) in &self.contracts {
            for (message_type, message) in list.iter() {
                let fault = StartFault::NoHandler { message, referred_by };
                if !handles(message_type) && !self.faults.contains(&fault) {
                    self.faults.push(fault);
                }
            }
        }
    }
}

impl fmt::Debug for Wiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiring")
            .field("projectors", &self.projectors)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
