//! Other in-process mediators, each with its best honest settings.

pub(super) mod hexeract;
pub(super) mod medi_rs;
pub(super) mod mediator;
pub(super) mod mediator_rs;
pub(super) mod noon;
