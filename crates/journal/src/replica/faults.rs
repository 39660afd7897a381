use catga_core::{Fault, FaultCode};

use crate::Refusal;

/// The log proved that the entry is not in it and never will be.
#[cold]
pub(super) fn refused(refusal: &Refusal) -> Fault {
    match refusal {
        Refusal::NotLeader { term, leader } => {
            let leader = leader.as_ref().map_or("nobody", |leader| leader.as_str());
            let message = format!("this node does not lead: in term {term} {leader} does");
            Fault::new(FaultCode::NotLeader, message)
        }
        Refusal::Stopped => shutting_down(),
        Refusal::TooLarge { limit } => too_large(*limit),
        Refusal::Overloaded => {
            Fault::new(FaultCode::Overloaded, "too many entries wait for the log; try later")
        }
        Refusal::Full => Fault::new(
            FaultCode::StorageFull,
            "the disk has no room for the next segment of the log; make room, and commands are \
             taken again",
        ),
        Refusal::PeersFull => Fault::new(
            FaultCode::StorageFull,
            "the disks of a majority of the nodes have no room for the next segment of the log; \
             make room there, and commands are taken again",
        ),
    }
}

#[cold]
pub(super) fn too_large(limit: usize) -> Fault {
    let message = format!("the effect is larger than the {limit} bytes that the log takes");
    Fault::new(FaultCode::CommandTooLarge, message)
}

#[cold]
pub(super) fn newer_engine(version: u32, most: u32) -> Fault {
    let message = format!(
        "the journal needs version {version} of the engine's rules, and this node goes along with \
         {most} at most: start it with a newer build, or with a higher `engine_version_max`"
    );
    Fault::new(FaultCode::Unreadable, message)
}

#[cold]
pub(super) fn shutting_down() -> Fault {
    let message = "the journal is stopping and takes no more effects";
    Fault::new(FaultCode::ShuttingDown, message)
}

#[cold]
pub(super) fn overloaded(capacity: usize) -> Fault {
    let message = format!("{capacity} effects were waiting for the log for too long; try later");
    Fault::new(FaultCode::Overloaded, message)
}

/// The effect may have been applied or may still be.
#[cold]
pub(super) fn in_doubt(why: &str) -> Fault {
    let message = format!("{why}; retry with the same id to learn whether the effect counts");
    Fault::new(FaultCode::InDoubt, message)
}

#[cold]
pub(super) fn half_applied() -> Fault {
    Fault::internal("the journal stopped in the middle of an entry; restart the node")
}
