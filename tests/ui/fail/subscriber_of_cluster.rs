//! A subscriber of the whole cluster for what no other node knows of.

use catga::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "price.ticked", ephemeral)]
struct PriceTicked(u32);

struct Ticker;

#[service]
impl Ticker {
    #[subscriber(name = "ticked", each = "cluster", from = "now")]
    async fn ticked(&self, _event: &PriceTicked) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
