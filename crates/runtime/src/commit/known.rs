//! What is known of a command before it runs, and whether there is room to remember one more key.

use catga_core::{Fault, Offset};
use catga_engine::Lookup;
use catga_journal::RecordedOutcome;

use super::faults::{expired, in_doubt, keys_exhausted, mismatch};
use super::{Call, Committer};
use crate::flights::{Boarding, FlightGuard, LANDED, Subject};

/// What is to be done with a call that others may be about as well.
pub(crate) enum Known {
    /// Its answer is recorded.
    Answered(Offset, RecordedOutcome),
    /// It has to run; the guard keeps others waiting.
    Run(FlightGuard),
}

impl Committer {
    /// Looks up what others know of the command: a recorded answer, or an attempt under way.
    pub(crate) async fn known(&self, call: &Call<'_>) -> Result<Known, Fault> {
        let subject = match &call.key {
            Some(key) => Subject::Key(key.clone()),
            None => Subject::Id(call.id),
        };
        let most = self.limits.keys;
        loop {
            let guard = match self.flights.board(&subject, call.payload_hash) {
                Boarding::Cleared(guard) => guard,
                Boarding::Mismatch => return Err(mismatch(call.id, call.key.as_ref())),
                Boarding::Wait(landed) => {
                    let wait = self.deadlines.by(call.until, landed.reach(LANDED));
                    if wait.await.is_err() {
                        return Err(in_doubt("an earlier call of the same command did not end"));
                    }
                    continue;
                }
            };
            return match self.journal.lookup(call.id, call.key.as_ref(), call.payload_hash) {
                Lookup::New if call.key.is_some() && !self.journal.keys().have_room(most) => {
                    Err(keys_exhausted(most))
                }
                Lookup::New => Ok(Known::Run(guard)),
                Lookup::Known { offset } => {
                    Ok(Known::Answered(offset, self.journal.outcome(offset).await?))
                }
                Lookup::PayloadMismatch => Err(mismatch(call.id, call.key.as_ref())),
                Lookup::Expired => Err(expired(call.id)),
            };
        }
    }
}
