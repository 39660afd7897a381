use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::tally::Tally;
use crate::client::{Answer, Call, Client, NoAnswer};

/// How long one request is repeated before that is a fault: many times what a start takes.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long it waits before the first repetition, and before the later ones.
const PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(20)];

/// A request that was answered.
pub(super) struct Settled {
    pub(super) answer: Answer,
    /// Who answered.
    pub(super) by: SocketAddr,
    /// When the attempt that was answered began.
    pub(super) sent: Instant,
    /// How many attempts were not answered.
    pub(super) retries: u32,
}

/// Sends `call` until somebody answers it. None if nobody ever does, which the tally then knows.
pub(super) async fn settle(client: &mut Client, call: &Call, tally: &Tally) -> Option<Settled> {
    let _under_way = tally.begin();
    let begun = Instant::now();
    let mut retries = 0;
    loop {
        let (by, sent) = (client.server(), Instant::now());
        let why = match client.send(call).await {
            Ok(answer) if !answer.is_put_off() => {
                return Some(Settled { answer, by, sent, retries });
            }
            Ok(answer) => format!("status {}", answer.status),
            Err(why) => {
                if !matches!(why, NoAnswer::NoConnection(_)) {
                    tally.cut_off();
                }
                why.to_string()
            }
        };
        if begun.elapsed() > PATIENCE {
            tally.unexpected(format!("nobody answered {call:?} for {PATIENCE:?}: {why}"));
            return None;
        }
        tokio::time::sleep(PAUSES[usize::from(retries > 0)]).await;
        retries += 1;
    }
}
