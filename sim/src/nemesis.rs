use std::time::Duration;

use catga_testkit::VirtualHost;
use catga_testkit::disk::{Call, Fault};
use fastrand::Rng;

use crate::machine::Handle;
use crate::{Exercised, tuning::Tuning};

/// How the life of a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    PowerCut,
    Kill,
    Stop,
}

impl End {
    pub(crate) fn draw(dice: &mut Rng) -> Self {
        match dice.u8(0..10) {
            0..=5 => Self::PowerCut,
            6..=7 => Self::Kill,
            _ => Self::Stop,
        }
    }
}

/// Lets a life go by, and does to it what the dice say.
pub(crate) async fn plague(
    host: &VirtualHost,
    handle: &Handle,
    tuning: &Tuning,
    dice: &mut Rng,
    exercised: &mut Exercised,
) {
    let disk = host.disk();
    let until = catga_host::Host::now(host) + tuning.life.mul_f64(dice.f64());
    while catga_host::Host::now(host) < until {
        match dice.u8(0..12) {
            0 => {
                exercised.elections += 1;
                // It goes on leading: nobody else can be elected.
                let _ = handle.log().campaign().await;
            }
            1 => {
                exercised.full_disks += 1;
                disk.set_capacity(disk.used_bytes() + dice.u64(0..8192));
                host.advance(Duration::from_millis(dice.u64(1..300))).await;
                disk.set_capacity(u64::MAX >> 16);
            }
            2 => {
                exercised.slow_disks += 1;
                let slow = Duration::from_millis(dice.u64(20..200));
                disk.set_sync_time(slow / 2..=slow);
                host.advance(slow * 2).await;
                disk.set_sync_time(tuning.sync_time.clone());
            }
            3 if dice.u8(0..4) == 0 => {
                // Fatal for the node, whenever it comes.
                disk.fail(Fault::of(Call::Sync).nth(dice.u64(1..20)));
            }
            _ => {}
        }
        host.advance(Duration::from_millis(dice.u64(1..60))).await;
    }
}
