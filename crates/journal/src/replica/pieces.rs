use std::sync::{Arc, Weak};

use catga_core::{Fault, FaultCode};
use catga_host::BoxFuture;

use super::disk::Disk;
use super::install;
use super::shared::Shared;
use crate::stored::{PiecesOut, storage_fault};
use crate::{Incoming, LogSnapshot, Outgoing, Pieces};

/// The pieces of a replica on disk. It keeps nobody from ending the replica.
pub(super) struct ReplicaPieces(Weak<Shared>);

impl ReplicaPieces {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    pub(super) fn shared(&self) -> Result<Arc<Shared>, Fault> {
        let shared = self.0.upgrade();
        shared.ok_or_else(|| Fault::new(FaultCode::ShuttingDown, "the replica has ended"))
    }
}

impl Pieces for ReplicaPieces {
    fn open(&self, snapshot: &LogSnapshot) -> Result<Box<dyn Outgoing>, Fault> {
        let shared = self.shared()?;
        let checkpoints = disk(&shared)?.checkpoints.clone();
        if snapshot.upto.is_none() {
            return Ok(Box::new(PiecesOut::none(checkpoints, snapshot.clone())));
        }
        // One that was installed says what its pieces are on the node that it came from.
        let own = disk(&shared)?.newest().filter(|newest| Some(newest.index) == snapshot.upto);
        let manifest = match own {
            Some(own) => own,
            None => install::read(&shared, snapshot)?,
        };
        let opened = PiecesOut::open(checkpoints, &manifest).map_err(storage_fault)?;
        Ok(Box::new(opened))
    }

    fn receive(
        &self,
        snapshot: LogSnapshot,
        source: u64,
    ) -> BoxFuture<'static, Result<Box<dyn Incoming>, Fault>> {
        let shared = self.shared();
        Box::pin(async move {
            let shared = shared?;
            let disk = disk(&shared)?;
            let (index, stored) = shared.read(|state| (state.index, state.stored.clone()))?;
            let stored = stored.ok_or_else(|| Fault::internal("pieces need a disk"))?;
            let manifest = match snapshot.upto > index {
                true => Some(install::read(&shared, &snapshot)?),
                false => None,
            };
            let incoming = disk.staging.receive(manifest.as_ref(), source, &stored).await;
            Ok(Box::new(incoming.map_err(storage_fault)?) as Box<dyn Incoming>)
        })
    }
}

pub(super) fn disk(shared: &Shared) -> Result<&Disk, Fault> {
    shared.disk.as_ref().ok_or_else(|| Fault::internal("pieces need a disk"))
}
