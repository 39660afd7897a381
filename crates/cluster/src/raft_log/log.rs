use std::sync::atomic::Ordering;

use bytes::Bytes;
use catga_core::Fault;
use catga_journal::{AppendError, Guarantees, Leadership, Log, LogIndex, Refusal, Role, Survives};
use openraft::async_runtime::{Instant, Select2, Select3, WatchReceiver};
use openraft::{AsyncRuntime, ServerState};

use super::RaftLog;
use crate::answers::{self, Next};
use crate::batch::log_index;
use crate::reads::RETRY_AFTER;
use crate::tenure::Tenure;
use crate::{Entry, Rt};

impl RaftLog {
    /// One attempt of an append, until it is answered or there is reason to doubt it.
    async fn propose(
        &self,
        entry: Bytes,
        deadline: <Rt as AsyncRuntime>::Instant,
    ) -> Result<LogIndex, Next<AppendError>> {
        // Before the entry goes out: a leadership that is lost right after is noticed.
        let tenure = Tenure::of(&self.raft);
        let write = self.raft.client_write(Entry(entry));
        let doubt = |why: &str| Err(Next::Answer(AppendError::InDoubt(why.to_owned())));
        match Rt::select3(write, tenure.lost(), Rt::sleep_until(deadline)).await {
            Select3::First(Ok(written)) => Ok(log_index(&written.log_id)),
            Select3::First(Err(error)) => Err(answers::append_error(error, self.term())),
            Select3::Second(()) => doubt("this node lost its leadership before it was answered"),
            Select3::Third(()) => doubt("no quorum confirmed it in time"),
        }
    }
}

impl Log for RaftLog {
    async fn append(&self, entry: Bytes) -> Result<LogIndex, AppendError> {
        let limit = self.options.entry_bytes_max;
        if entry.len() > limit {
            return Err(AppendError::Refused(Refusal::TooLarge { limit }));
        }
        if self.stopped.load(Ordering::Acquire) {
            return Err(AppendError::Refused(Refusal::Stopped));
        }
        if self.room.is_full() {
            return Err(AppendError::Refused(Refusal::Full));
        }
        if self.lacks_room() {
            return Err(AppendError::Refused(Refusal::PeersFull));
        }
        let Ok(_permit) = self.permits.try_acquire() else {
            return Err(AppendError::Refused(Refusal::Overloaded));
        };
        let start = <Rt as AsyncRuntime>::Instant::now();
        let deadline = start + self.options.answer_timeout;
        loop {
            match self.propose(entry.clone(), deadline).await {
                Ok(index) => return Ok(index),
                Err(Next::Answer(error)) => return Err(error),
                // A leader that does not get its lease back in this time will be deposed. The
                // attempt was refused, and so were all before it: that is still proof.
                Err(Next::Retry(error)) if start.elapsed() >= self.options.lease() => {
                    return Err(error);
                }
                Err(Next::Retry(_)) => Rt::sleep(RETRY_AFTER).await,
            }
        }
    }

    async fn read_index(&self) -> Result<LogIndex, Fault> {
        self.reads.read_index().await
    }

    fn leadership(&self) -> Leadership {
        // How far it has applied only rises, so that may be read after the rest.
        let server = self.raft.server_metrics().borrow_watched().clone();
        let applied = self.raft.data_metrics().borrow_watched().last_applied;
        answers::leadership(&server, applied)
    }

    fn term(&self) -> u64 {
        self.raft.server_metrics().borrow_watched().vote.leader_id.term
    }

    async fn leadership_changed(&self, known: &Leadership) {
        let (mut server, mut data) = (self.raft.server_metrics(), self.raft.data_metrics());
        while self.leadership() == *known {
            // It leads once it has applied an entry of its own term, which is data.
            let elected = server.borrow_watched().state == ServerState::Leader;
            let ended = if elected && known.role != Role::Leader {
                match Rt::select2(server.changed(), data.changed()).await {
                    Select2::First(changed) | Select2::Second(changed) => changed.is_err(),
                }
            } else {
                server.changed().await.is_err()
            };
            if ended {
                // The core has stopped: nothing will change any more.
                return std::future::pending().await;
            }
        }
    }

    async fn snapshot(&self) -> Result<(), Fault> {
        self.make_snapshot().await
    }

    async fn trim(&self, upto: LogIndex) {
        // The log keeps more than it must then, which the next trim makes good.
        if let Err(error) = self.purge(upto).await {
            tracing::debug!(%error, ?upto, "the log was not trimmed");
        }
    }

    fn degraded(&self) -> Option<String> {
        let why = if self.room.is_full() {
            "the disk has no room for the next segment of the log: this node takes nothing into \
             it until it has, and as leader refuses commands"
        } else if self.lacks_room() {
            "a majority of the nodes have no room for the log: commands are refused until they have"
        } else {
            return None;
        };
        Some(why.to_owned())
    }

    async fn failed(&self) -> Fault {
        let mut dismissed = self.dismissed.subscribe();
        let dismissed = async {
            let told = dismissed.wait_for(Option::is_some).await;
            let fault = told.ok().and_then(|fault| fault.clone());
            match fault {
                Some(fault) => fault,
                // The log is gone, and whoever waits with it.
                None => std::future::pending().await,
            }
        };
        match Rt::select2(dismissed, self.core_failed()).await {
            Select2::First(fault) | Select2::Second(fault) => fault,
        }
    }

    fn guarantees(&self) -> Guarantees {
        // With two voters there is no minority to lose.
        let survives = match self.raft.voter_ids().count() {
            0..=2 => Survives::PowerLoss,
            _ => Survives::Failover,
        };
        Guarantees::new("raft", survives)
    }

    async fn shutdown(&self) {
        self.stopped.store(true, Ordering::Release);
        self.room.ground.stop_waiting();
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "a task of the log did not end as it should");
        }
        self.end();
        self.room.ground.close().await;
    }
}
