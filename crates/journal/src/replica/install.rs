//! A snapshot of another node takes the place of everything that a replica on disk has. Its pieces
//! are here and were checked; what is done in which order is said where they are taken over.

use std::sync::Arc;

use catga_core::{Fault, FaultCode};
use catga_engine::Engine;

use super::checkpoint::ROOM_WAIT;
use super::shared::{Shared, State};
use crate::LogSnapshot;
use crate::stored::{Manifest, Stored, storage_fault};

/// Durable when it returns: the log below is dropped then.
pub(super) async fn install(shared: &Arc<Shared>, snapshot: &LogSnapshot) -> Result<(), Fault> {
    let disk = shared.disk.as_ref().ok_or_else(|| Fault::internal("it needs a disk"))?;
    let (index, limits) = shared.read(|state| (state.index, state.engine.limits()))?;
    if snapshot.upto <= index {
        // A restart begins with the own checkpoint, which the log's snapshot only names.
        return Ok(());
    }
    let manifest = read(shared, snapshot)?;
    let _pieces = disk.staging.turn().await;
    let _turn = disk.turn.lock().await;
    let current = shared.read(|state| state.stored.clone())?;
    let current = current.ok_or_else(|| Fault::internal("it needs a disk"))?;
    let engine = disk.staging.engine(&manifest).map_err(storage_fault)?;
    let restored = Engine::restore(&engine, limits).map_err(|error| {
        let message = format!("cannot read the engine of a snapshot: {error}");
        Fault::new(FaultCode::Unreadable, message)
    })?;
    shared.goes_along(restored.version())?;
    if restored.offset() != manifest.offset() {
        return Err(unreadable("its engine counted more or less than its history has"));
    }
    let taken = disk.staging.take_over(&manifest, &current).await;
    let taken: Stored = taken.map_err(storage_fault)?;
    let own = loop {
        let write =
            disk.checkpoints.write(shared.incarnation, manifest.index, engine.clone(), &taken);
        match write.await {
            Err(error) if error.is_full() => {
                tracing::warn!(node = %shared.node, %error, "no room for a checkpoint; waiting");
                disk.host.sleep(ROOM_WAIT).await;
                shared.alive()?;
            }
            written => break written.map_err(storage_fault)?,
        }
    };
    let state = State::over(shared.incarnation, manifest.index, restored, taken);
    shared.replace(state)?;
    disk.installed(own);
    disk.staging.clear();
    tracing::info!(
        node = %shared.node, offset = %manifest.offset(), "the state of another node was taken over"
    );
    Ok(())
}

/// What a snapshot with a state names.
pub(super) fn read(shared: &Shared, snapshot: &LogSnapshot) -> Result<Manifest, Fault> {
    let manifest = Manifest::decode(&snapshot.data);
    let manifest = manifest.ok_or_else(|| unreadable("it is no manifest that this build reads"))?;
    if Some(manifest.index) != snapshot.upto {
        return Err(unreadable("its manifest is of another moment"));
    }
    if manifest.incarnation != shared.incarnation {
        return Err(unreadable("it is of another life of the journal"));
    }
    Ok(manifest)
}

#[cold]
fn unreadable(what: &str) -> Fault {
    Fault::new(FaultCode::Unreadable, format!("cannot take over the state of a snapshot: {what}"))
}
