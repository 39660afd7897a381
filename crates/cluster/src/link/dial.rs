use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use catga_host::{Connection, Host, timeout};
use catga_journal::planted::Planted;

use super::connection::{End, Wires, run};
use super::dialled::Dialled;
use super::ground::Ground;
use super::handshake::{Unmet, shake};
use super::hello::Met;
use super::pulse::Pulse;
use super::renewal;
use super::secret::Role;
use super::shared::Shared;
use super::tls::Changes;
use super::upgrade::upgrade;
use super::verdict::Attempt;

/// How long a machine may take to accept a connection.
const CONNECT_WAIT: Duration = Duration::from_secs(1);

/// How long a handshake may take, what comes before it included.
pub(super) const HANDSHAKE_WAIT: Duration = Duration::from_secs(3);

/// The shortest pause between two attempts, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A connection that lasted as long as this was a good one.
const GOOD: Duration = Duration::from_secs(1);

/// Keeps a connection to the node of `link`, until this node leaves.
pub(super) async fn keep(shared: Arc<Shared>, link: Arc<Dialled>) {
    let ground = &shared.ground;
    let mut pace = Pace::default();
    let mut was_lost = false;
    loop {
        if let Some(pause) = pace.pause(&*ground.host) {
            if std::mem::take(&mut was_lost) {
                knock(ground, &link).await;
            }
            // Ended early, or not: the next attempt is due.
            let _ = timeout(&*ground.host, pause, link.hurry.notified()).await;
        }
        // Before the keys are used.
        let changes = ground.options.tls.as_ref().map(|tls| tls.changes());
        let mut attempt = pin!(attempt(&shared, &link));
        let made = match timeout(&*ground.host, ground.options.silence, &mut attempt).await {
            Ok(made) => made,
            Err(_) => {
                link.tried(&Attempt::Unanswered);
                attempt.await
            }
        };
        match made {
            Ok((met, wires)) => {
                let began = ground.host.now();
                let end = serve(&shared, &link, &met, wires, changes).await;
                if Planted::LinkTaskKept.is_here() {
                    drop(shared.spawn("peer link", Box::pin(std::future::pending())));
                }
                if shared.has_left() {
                    return;
                }
                pace.ended(ground.host.now() - began);
                was_lost = matches!(end, End::Lost(_));
                if end == End::Left {
                    // There is nothing to find out at once.
                    pace.failed();
                }
            }
            Err(attempt) => {
                link.tried(&attempt);
                pace.failed();
            }
        }
    }
}

/// Runs a connection to its end.
async fn serve(
    shared: &Arc<Shared>,
    link: &Dialled,
    met: &Met,
    wires: Wires<Connection>,
    changes: Option<Changes>,
) -> End {
    let Wires { mut reader, writer, .. } = wires;
    let pulse = Pulse::new(Arc::clone(&shared.ground), Arc::clone(&link.traffic));
    let _entered = match shared.enter(&pulse) {
        Ok(entered) => entered,
        Err(why) => return End::Lost(why.to_owned()),
    };
    reader.tell(Arc::clone(&pulse));
    link.connected(met, &pulse);
    let read = link.read(&mut reader, &pulse);
    let end = tokio::select! {
        biased;
        end = run(&shared.ground, &pulse, writer, read, |batch| link.fill(batch)) => end,
        () = renewal::due(&shared.ground, link, changes) => End::Renewed,
    };
    link.lost(&end);
    end
}

/// Finds out at once whether the node of a link that was lost is gone, where the next attempt has to
/// wait: others may be waiting to elect another leader.
async fn knock(ground: &Ground, link: &Dialled) {
    let connected = timeout(&*ground.host, CONNECT_WAIT, ground.host.connect(&link.address)).await;
    match connected {
        Ok(Ok(_)) => {}
        Ok(Err(_)) => link.tried(&Attempt::Failed),
        Err(_) => link.tried(&Attempt::Unanswered),
    }
}

/// One attempt to reach the node of `link`.
async fn attempt(shared: &Shared, link: &Dialled) -> Result<(Met, Wires<Connection>), Attempt> {
    let ground = &shared.ground;
    let connect = ground.host.connect(&link.address);
    let connected = timeout(&*ground.host, CONNECT_WAIT, connect).await;
    let connected = connected.map_err(|_| Attempt::Unanswered)?;
    let stream = connected.map_err(|error| {
        tracing::debug!(address = %link.address, %error, "a node cannot be reached");
        Attempt::Failed
    })?;
    let meet = meet(ground, stream, &link.address);
    match timeout(&*ground.host, HANDSHAKE_WAIT, meet).await {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(Unmet::Refused(why))) => Err(Attempt::Refused(why)),
        Ok(Err(Unmet::Left)) => Err(Attempt::Left),
        Ok(Err(Unmet::Failed(why))) => {
            tracing::debug!(address = %link.address, why, "no link was made");
            Err(Attempt::Failed)
        }
        Err(_) => Err(Attempt::Unanswered),
    }
}

/// Makes a link of a stream that was dialled to `address`. The caller sees to it that it ends in
/// time.
pub(super) async fn meet(
    ground: &Ground,
    mut stream: Connection,
    address: &str,
) -> Result<(Met, Wires<Connection>), Unmet> {
    let mut read = BytesMut::new();
    if ground.options.upgrade {
        read = upgrade(&mut stream, address).await?;
    }
    let mut certified = None;
    if let Some(tls) = &ground.options.tls {
        let (inside, who) = tls.dial(stream, &read).await?;
        (stream, certified) = (inside, Some(who));
    }
    let mut wires = Wires { certified, ..Wires::new(stream, read) };
    let met = shake(ground, &mut wires, Role::Dialler).await?;
    Ok((met, wires))
}

/// How soon the next attempt is.
#[derive(Debug, Default)]
struct Pace {
    /// Attempts since the last connection that came to nothing.
    failed: u32,
    /// Connections in a row that did not last.
    short: u32,
}

impl Pace {
    fn failed(&mut self) {
        self.failed = self.failed.saturating_add(1);
    }

    fn ended(&mut self, after: Duration) {
        self.failed = 0;
        self.short = if after < GOOD { self.short.saturating_add(1) } else { 0 };
    }

    /// How long to wait for the next attempt. The one after a good connection is made at once,
    /// because it decides whether the node is gone.
    fn pause(&self, host: &dyn Host) -> Option<Duration> {
        let doublings = (self.failed + self.short.saturating_sub(1)).checked_sub(1)?;
        let longest = PAUSE_MIN.saturating_mul(1 << doublings.min(16)).min(PAUSE_MAX);
        let us = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        // Between half and all of it, so that nodes do not go on in step.
        Some(Duration::from_micros(us / 2 + host.random() % (us / 2 + 1)))
    }
}

#[cfg(test)]
mod tests {
    use catga_testkit::VirtualHost;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_attempt_is_at_once_and_then_the_pauses_double() {
        let host = VirtualHost::new(1);
        let mut pace = Pace::default();
        assert_eq!(pace.pause(&*host), None);
        for doublings in 0..10 {
            pace.failed();
            let longest = PAUSE_MIN.saturating_mul(1 << doublings).min(PAUSE_MAX);
            let pause = pace.pause(&*host).expect("a pause");
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?} of {longest:?}");
        }
        pace.ended(GOOD);
        assert_eq!(pace.pause(&*host), None);
        // Once; connections that never last are not made in a circle.
        pace.ended(Duration::ZERO);
        assert_eq!(pace.pause(&*host), None);
        pace.ended(Duration::ZERO);
        assert!(pace.pause(&*host).is_some());
        pace.ended(GOOD);
        assert_eq!(pace.pause(&*host), None);
    }
}
