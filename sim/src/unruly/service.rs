use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;

use catga::prelude::*;

use super::{Act, Deed, Noted, World, panic_quietly};

/// The nonces of all that was noted.
#[derive(Query, Clone, Debug, Serialize, Deserialize)]
#[query(name = "unruly.get-noted", reply = BTreeSet<String>)]
pub(crate) struct GetNoted;

/// How many events the projection that breaks has folded.
#[derive(Query, Clone, Debug, Serialize, Deserialize)]
#[query(name = "unruly.get-brittle", reply = u64)]
pub(crate) struct GetBrittle;

/// Panics where it is asked.
#[derive(Query, Clone, Debug, Serialize, Deserialize)]
#[query(name = "unruly.get-panic", reply = ())]
pub(crate) struct Panic;

/// Everything that was noted.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sound(BTreeSet<String>);

#[projection(name = "unruly-sound", version = 1)]
impl Sound {
    fn noted(&mut self, event: &Noted) {
        self.0.insert(event.nonce.clone());
    }
}

/// The same, until an event comes that it cannot fold.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Brittle(u64);

#[projection(name = "unruly-brittle", version = 1)]
impl Brittle {
    fn noted(&mut self, event: &Noted) {
        if event.deed == Deed::BreakFold {
            panic_quietly("it cannot be folded");
        }
        self.0 += 1;
    }
}

/// The service that misbehaves.
#[derive(Debug)]
pub(crate) struct Misbehaving {
    pub(crate) world: Arc<World>,
    pub(crate) sound: View<Sound>,
    pub(crate) brittle: View<Brittle>,
}

#[service]
impl Misbehaving {
    async fn act(&self, act: Act, tx: &mut Tx) -> Answer<String> {
        match act.deed {
            Deed::Panic => {
                self.world.lock().panics += 1;
                panic_quietly("it always panics");
            }
            Deed::PanicOnce if self.world.lock().panicked.insert(act.nonce.clone()) => {
                self.world.lock().panics += 1;
                panic_quietly("it panics the first time");
            }
            Deed::Stay => {
                self.world.lock().stays += 1;
                pending::<()>().await;
            }
            _ => {}
        }
        let lane = match act.deed {
            Deed::BreakDelivery => "broken",
            _ => "sound",
        };
        let lane = lane.to_owned();
        let filling = match act.deed {
            Deed::Fill(bytes) => "x".repeat(bytes),
            _ => String::new(),
        };
        tx.append_any(Noted { lane, nonce: act.nonce.clone(), deed: act.deed, filling });
        Ok(act.nonce)
    }

    async fn noted(&self, _query: GetNoted) -> Answer<BTreeSet<String>> {
        self.sound.with(|sound| Ok(sound.0.clone()))
    }

    async fn brittle(&self, _query: GetBrittle) -> Answer<u64> {
        self.brittle.with(|brittle| Ok(brittle.0))
    }

    async fn panic(&self, _query: Panic) -> Answer<()> {
        panic_quietly("it always panics")
    }

    #[subscriber(name = "unruly", each = "cluster", from = "start")]
    async fn take(&self, event: &Noted) -> Result<(), std::convert::Infallible> {
        let mut world = self.world.lock();
        let breaks = match event.deed {
            Deed::BreakDelivery => true,
            Deed::BreakDeliveryOnce => world.panicked.insert(event.nonce.clone()),
            _ => false,
        };
        if breaks {
            world.broken_deliveries += 1;
            drop(world);
            panic_quietly("it cannot be taken");
        }
        *world.taken.entry(event.nonce.clone()).or_default() += 1;
        Ok(())
    }
}
