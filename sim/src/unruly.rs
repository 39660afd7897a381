//! A service whose code misbehaves, beside the one that is judged: handlers that panic or never
//! end, a projection that cannot fold some events, a subscriber that cannot take some.

mod client;
mod service;
mod world;

pub(crate) use self::client::{FILLING_BYTES, Unruly};
pub(crate) use self::service::{GetBrittle, GetNoted, Misbehaving, Panic};
pub(crate) use self::world::{Deeds, World};

use catga::prelude::*;

/// What a command has the code of the service do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Deed {
    /// Nothing special.
    Behave,
    /// Its event is so many bytes longer.
    Fill(usize),
    /// The handler panics, each time.
    Panic,
    /// It panics the first time that it runs.
    PanicOnce,
    /// It never ends.
    Stay,
    /// Its event cannot be folded by one of the projections.
    BreakFold,
    /// The subscriber panics at its event, each time.
    BreakDelivery,
    /// It panics the first time.
    BreakDeliveryOnce,
}

/// Has the service do something.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "unruly.act", reply = String)]
pub(crate) struct Act {
    /// No two have the same; the reply is it.
    pub(crate) nonce: String,
    pub(crate) deed: Deed,
}

/// A command was carried out.
#[derive(Event, Clone, Debug, Serialize, Deserialize)]
#[event(name = "unruly.noted", stream = Lane, key = lane)]
pub(crate) struct Noted {
    pub(crate) lane: String,
    pub(crate) nonce: String,
    pub(crate) deed: Deed,
    /// Only fills the journal.
    pub(crate) filling: String,
}

/// Events that wait behind each other if one cannot be delivered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane;

#[aggregate(name = "unruly")]
impl Lane {
    fn noted(&mut self, _event: &Noted) {}
}

/// Panics without a word on standard error, where a panic is the end of a run.
pub(crate) fn panic_quietly(what: &str) -> ! {
    std::panic::resume_unwind(Box::new(format!("on purpose: {what}")))
}
