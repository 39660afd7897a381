use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use catga_host::{Files, Host, Open};
use catga_journal::planted::Planted;
use catga_journal::segment::{FrameKind, SegmentError, SegmentWriter};
use openraft::alias::EntryOf;
use openraft::storage::IOFlushed;
use tokio::sync::{mpsc, oneshot};

use super::entries::Place;
use super::records::{STATE, State, TRUNCATE, VOTE, encode_entry, encode_state, encode_vote};
use super::segments::{ROLL_BYTES, create, segment_path};
use super::{ROOM_WAIT, Shared, StorageOptions};
use crate::{LogId, TypeConfig, Vote};

/// How many jobs go into one write at most.
const JOBS_MAX: usize = 1024;

/// How long nothing comes before the file itself is told how far it was synced. While something
/// comes, each batch says it of those before.
const IDLE: Duration = Duration::from_millis(50);

/// How often it is looked at whether the files are still there: writes to a file that somebody
/// removed succeed, and are gone with the process.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What is to become durable, in order.
pub(super) enum Job {
    Append(Vec<EntryOf<TypeConfig>>, IOFlushed<TypeConfig>),
    Vote(Vote, oneshot::Sender<io::Result<()>>),
    /// The last index that is kept.
    Truncate(Option<u64>),
    Purge(LogId),
    /// Nothing but that what came before is durable.
    Flush(oneshot::Sender<io::Result<()>>),
    Stop(oneshot::Sender<()>),
}

/// Whoever waits for a write.
enum Waiter {
    Append(IOFlushed<TypeConfig>),
    Other(oneshot::Sender<io::Result<()>>),
}

impl Waiter {
    fn tell(self, result: io::Result<()>) {
        match self {
            Self::Append(flushed) => flushed.io_completed(result),
            // Whoever waited may be gone.
            Self::Other(flushed) => drop(flushed.send(result)),
        }
    }
}

/// The files, and what was written to them last.
#[derive(Debug)]
pub(super) struct Flush {
    pub(super) host: Arc<dyn Host>,
    pub(super) files: Arc<dyn Files>,
    pub(super) dir: PathBuf,
    pub(super) options: StorageOptions,
    pub(super) state: State,
    pub(super) writer: SegmentWriter,
    pub(super) number: u64,
    /// The next segment, ready to be written.
    pub(super) spare: Option<SegmentWriter>,
    /// The last index in each segment that is not written any more.
    pub(super) former: BTreeMap<u64, Option<u64>>,
    /// The last index in the segment that is written.
    pub(super) last: Option<u64>,
    /// When it was looked at last whether the files are there.
    pub(super) looked: Duration,
}

impl Flush {
    /// Writes whatever comes until nobody can send any more.
    pub(super) async fn into_task(
        mut self,
        shared: Arc<Shared>,
        mut queue: mpsc::UnboundedReceiver<Job>,
    ) {
        if let Err(error) = self.make_spare(&shared).await {
            return self.die(&error, &mut queue);
        }
        let mut jobs = Vec::new();
        let mut unmarked = false;
        loop {
            let wait = match (unmarked, self.spare.is_none()) {
                (true, _) => IDLE,
                (false, true) => ROOM_WAIT,
                (false, false) => Duration::MAX,
            };
            let host = Arc::clone(&self.host);
            let idle = async move {
                match wait {
                    Duration::MAX => std::future::pending().await,
                    wait => host.sleep(wait).await,
                }
            };
            let taken = tokio::select! {
                biased;
                taken = queue.recv_many(&mut jobs, JOBS_MAX) => Some(taken),
                () = idle => None,
            };
            match taken {
                Some(0) => return,
                Some(_) => {
                    let stopped = match self.take(&mut jobs, &shared).await {
                        Ok(stopped) => stopped,
                        Err(error) => return self.die(&error, &mut queue),
                    };
                    unmarked = true;
                    if let Some(stopped) = stopped {
                        // What it says is safe without it, and nobody was told of more.
                        let _ = self.mark().await;
                        let _ = stopped.send(());
                        return;
                    }
                }
                None if unmarked => {
                    unmarked = false;
                    if let Err(error) = self.mark().await {
                        return self.die(&error, &mut queue);
                    }
                }
                None => {}
            }
            if let Err(error) = self.make_spare(&shared).await {
                return self.die(&error, &mut queue);
            }
        }
    }

    /// Tells the file how far it was synced, durably.
    async fn mark(&mut self) -> Result<(), SegmentError> {
        self.writer.mark()?;
        self.writer.sync().await
    }

    /// Writes the jobs, syncs once, and tells whoever waits.
    async fn take(
        &mut self,
        jobs: &mut Vec<Job>,
        shared: &Shared,
    ) -> Result<Option<oneshot::Sender<()>>, SegmentError> {
        let mut waiters = Vec::new();
        let done = self.write(jobs, &mut waiters, shared).await;
        for waiter in waiters {
            let told = done.as_ref().map(|_| ());
            waiter.tell(told.map_err(|error| io::Error::other(error.to_string())));
        }
        done
    }

    async fn write(
        &mut self,
        jobs: &mut Vec<Job>,
        waiters: &mut Vec<Waiter>,
        shared: &Shared,
    ) -> Result<Option<oneshot::Sender<()>>, SegmentError> {
        if Planted::VoteAroundAppends.is_here() {
            self.votes_first(jobs).await?;
        }
        let mut places = Vec::new();
        let mut purged = None;
        let mut stopped = None;
        for job in jobs.drain(..) {
            match job {
                Job::Append(entries, flushed) => {
                    waiters.push(Waiter::Append(flushed));
                    for entry in &entries {
                        let (kind, head, bytes) = encode_entry(entry);
                        let index = entry.log_id.index;
                        let at = self.push(kind, index, &[&head, &bytes], shared).await?;
                        self.last = self.last.max(Some(index));
                        places.push((entry.log_id, Place { segment: self.number, at }));
                    }
                }
                Job::Vote(vote, flushed) => {
                    waiters.push(Waiter::Other(flushed));
                    if Planted::VoteNotPersisted.is_here() {
                        continue;
                    }
                    self.state.vote = Some(vote);
                    self.push(VOTE, 0, &[&encode_vote(&vote)], shared).await?;
                }
                Job::Truncate(kept) => {
                    let end = kept.map_or(0, |kept| kept + 1);
                    self.push(TRUNCATE, end, &[], shared).await?;
                }
                Job::Purge(upto) => {
                    self.state.purged = self.state.purged.max(Some(upto));
                    self.push(STATE, 0, &[&encode_state(&self.state)], shared).await?;
                    purged = Some(upto);
                }
                Job::Flush(flushed) => waiters.push(Waiter::Other(flushed)),
                Job::Stop(sender) => stopped = Some(sender),
            }
        }
        self.writer.write()?;
        if Planted::AckBeforeSync.is_here() {
            waiters.drain(..).for_each(|waiter| waiter.tell(Ok(())));
        }
        self.writer.sync().await?;
        self.is_still_there()?;
        let mut entries = shared.lock();
        places.into_iter().for_each(|(id, place)| entries.written(id, place));
        entries.evict();
        drop(entries);
        if let Some(upto) = purged {
            self.remove_purged(upto, shared);
        }
        Ok(stopped)
    }

    /// [`Planted::VoteAroundAppends`]: votes go out of their turn, and whoever waits for them hears
    /// it.
    async fn votes_first(&mut self, jobs: &mut [Job]) -> Result<(), SegmentError> {
        for job in jobs {
            let Job::Vote(vote, flushed) = job else { continue };
            self.state.vote = Some(*vote);
            self.writer.push(VOTE, 0, &[&encode_vote(vote)]);
            self.writer.write()?;
            self.writer.sync().await?;
            let (nobody, _) = oneshot::channel();
            Waiter::Other(std::mem::replace(flushed, nobody)).tell(Ok(()));
        }
        self.host.sleep(Duration::from_millis(5)).await;
        Ok(())
    }

    /// Fails if somebody has removed the file.
    fn is_still_there(&mut self) -> Result<(), SegmentError> {
        let now = self.host.now();
        if now.saturating_sub(self.looked) < LOOK_AGAIN {
            return Ok(());
        }
        self.looked = now;
        let path = self.writer.reader().path();
        match self.files.open(path, Open::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(SegmentError::Vanished { path: path.to_owned() })
            }
            // Another failure says nothing about the file that is open.
            _ => Ok(()),
        }
    }

    /// Adds one record, in the next segment if this one has no room for it.
    async fn push(
        &mut self,
        kind: FrameKind,
        position: u64,
        parts: &[&[u8]],
        shared: &Shared,
    ) -> Result<u64, SegmentError> {
        let len = parts.iter().map(|part| part.len()).sum();
        if !self.writer.has_room(len) {
            self.roll(len, shared).await?;
        }
        Ok(self.writer.push(kind, position, parts))
    }

    /// Seals the segment and goes on in the next one, which has room for `len` bytes.
    async fn roll(&mut self, len: usize, shared: &Shared) -> Result<(), SegmentError> {
        self.writer.write()?;
        self.writer.seal()?;
        // Before anything stands in the next one: whoever finds that trusts this to be whole.
        self.writer.sync().await?;
        let spare = match self.spare.take() {
            Some(spare) if spare.has_room(len + ROLL_BYTES) => spare,
            Some(small) => {
                let path = small.reader().path().to_owned();
                let removed = self.files.remove(&path);
                removed.map_err(|source| SegmentError::Io { path, source })?;
                self.create_when_there_is_room(len, shared).await?
            }
            None => self.create_when_there_is_room(len, shared).await?,
        };
        self.former.insert(self.number, self.last.take());
        self.writer = spare;
        self.number += 1;
        shared.lock().add_segment(self.number, self.writer.reader().clone());
        self.writer.push(STATE, 0, &[&encode_state(&self.state)]);
        Ok(())
    }

    /// The segment after this one. What must go into it has been taken over already, so that it
    /// waits here for as long as the disk has no room, and all that comes later behind it.
    async fn create_when_there_is_room(
        &self,
        len: usize,
        shared: &Shared,
    ) -> Result<SegmentWriter, SegmentError> {
        loop {
            match self.create(len).await {
                Err(error) if error.is_full() && !shared.ending.load(Ordering::Relaxed) => {
                    if !shared.full.swap(true, Ordering::Relaxed) {
                        tracing::error!(%error, "the log has no room: nothing is written until then");
                    }
                    self.host.sleep(ROOM_WAIT).await;
                }
                created => return created,
            }
        }
    }

    /// Sees to it that the next segment is ready, or that everybody knows that it is not.
    ///
    /// # Errors
    /// When something else than room is missing.
    async fn make_spare(&mut self, shared: &Shared) -> Result<(), SegmentError> {
        if self.spare.is_some() {
            return Ok(());
        }
        match self.create(0).await {
            Ok(spare) => {
                self.spare = Some(spare);
                if shared.full.swap(false, Ordering::Relaxed) {
                    tracing::info!(dir = %self.dir.display(), "the log has room again");
                }
            }
            Err(error) if error.is_full() => {
                if !shared.full.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the log has no next segment: commands are refused");
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The segment after this one, with room for a record of `len` bytes; its name is durable.
    async fn create(&self, len: usize) -> Result<SegmentWriter, SegmentError> {
        let number = self.number + 1;
        create(&*self.host, &*self.files, &self.dir, number, len, &self.options).await
    }

    /// Removes the segments that hold nothing above `upto`.
    fn remove_purged(&mut self, upto: LogId, shared: &Shared) {
        while let Some((number, last)) = self.former.first_key_value()
            && last.is_none_or(|last| last <= upto.index)
        {
            let number = *number;
            let path = segment_path(&self.dir, number);
            if let Err(error) = self.files.remove(&path) {
                // It is read again at the next start, and purged again.
                tracing::warn!(path = %path.display(), %error, "a purged segment was not removed");
                return;
            }
            shared.lock().remove_segment(number);
            self.former.remove(&number);
        }
    }

    /// The disk failed: nobody knows what of the last writes is durable, so nothing goes on.
    fn die(&self, error: &SegmentError, queue: &mut mpsc::UnboundedReceiver<Job>) {
        tracing::error!(%error, "the log stops: what was written last may not be durable");
        queue.close();
        while let Ok(job) = queue.try_recv() {
            let error = io::Error::other(error.to_string());
            match job {
                Job::Append(_, flushed) => Waiter::Append(flushed).tell(Err(error)),
                Job::Vote(_, flushed) | Job::Flush(flushed) => {
                    Waiter::Other(flushed).tell(Err(error));
                }
                Job::Truncate(_) | Job::Purge(_) | Job::Stop(_) => {}
            }
        }
    }
}
