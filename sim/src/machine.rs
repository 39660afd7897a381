use std::sync::{Arc, Mutex, PoisonError};

use catga::prelude::*;
use catga::{Backend, Parts, StartError, Wiring};
use catga_cluster::{DataOptions, RaftLog, open_alone};
use catga_core::NodeName;
use catga_host::Host;
use catga_journal::Replica;
use order_cluster::service::Orders;

use crate::tuning::Tuning;
use crate::unruly::{Misbehaving, World};

/// Where a node keeps its data.
const DATA: &str = "/data/node1";

/// The journal of a node, for those who look behind it.
pub(crate) type Handle = Arc<Replica<RaftLog>>;

/// Starts the order service on a machine, as its disk is.
pub(crate) async fn start(
    host: Arc<dyn Host>,
    tuning: &Tuning,
    world: &Arc<World>,
) -> Result<(Node, Handle), StartError> {
    let opened = Arc::default();
    let backend = Alone { tuning: tuning.clone(), opened: Arc::clone(&opened) };
    let limits = tuning.limits(host.now());
    let node = Catga::builder()
        .host(host)
        .limits(limits)
        .service(|wiring| Orders { book: wiring.projection() })
        .service(misbehaving(world))
        .backend(backend)
        .start()
        .await?;
    let handle = opened.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok((node, handle.expect("a node that has started has opened its journal")))
}

/// Makes the service that misbehaves in `world`.
pub(crate) fn misbehaving(
    world: &Arc<World>,
) -> impl FnOnce(&mut Wiring) -> Misbehaving + Send + 'static {
    let world = Arc::clone(world);
    move |wiring| Misbehaving { world, sound: wiring.projection(), brittle: wiring.projection() }
}

/// A node on disk, whose journal can be looked at.
#[derive(Debug)]
struct Alone {
    tuning: Tuning,
    opened: Arc<Mutex<Option<Handle>>>,
}

impl Backend for Alone {
    async fn open(self, host: Arc<dyn Host>, node: NodeName) -> Result<Parts, Fault> {
        let tuning = self.tuning;
        let mut options = DataOptions::new(node, DATA);
        options.storage.segment_bytes = tuning.segment_bytes;
        options.storage.cached_bytes = tuning.cached_bytes;
        options.pace.bytes = tuning.checkpoint_bytes;
        options.pace.interval = tuning.checkpoint_interval;
        options.pace.log_kept_bytes = tuning.log_kept_bytes;
        options.replica.limits = tuning.engine_limits();
        options.replica.batch_effects_max = tuning.batch_effects_max;
        options.replica.appends_in_flight_max = tuning.appends_in_flight_max;
        let (replica, dir) = open_alone(host, options).await?;
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&replica));
        Ok(Parts::new(replica).with_views(dir.files(), dir.views()))
    }
}
