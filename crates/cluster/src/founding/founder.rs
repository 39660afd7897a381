use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use catga_host::{BoxFuture, Files, Host};
use tokio::sync::{oneshot, watch};

use super::messages::{self, Introduction};
use super::{Charter, FoundingError};
use crate::wire::Kind;
use crate::{Peer, Serve, Topic};

/// A node's part in the founding: what it has agreed to, and the answers that it gives.
#[derive(Clone, Debug)]
pub(crate) struct Founder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Arc<dyn Host>,
    me: Peer,
    cluster: String,
    /// All of them, in order.
    members: Vec<String>,
    /// The newest engine version that it goes along with.
    version: u32,
    files: Arc<dyn Files>,
    path: PathBuf,
    /// What is durable here. Locked for a look.
    charter: Mutex<Option<Charter>>,
    /// One charter is written at a time.
    turn: tokio::sync::Mutex<()>,
    /// Changes when a charter was written.
    adopted: watch::Sender<()>,
}

impl Founder {
    /// The part of `me` in the founding of `cluster` with nodes at `members`, as far as it had come
    /// when the file at `path` was written.
    ///
    /// # Errors
    /// When the file cannot be read, or is of another cluster.
    pub(crate) fn open(
        host: Arc<dyn Host>,
        (files, path): (Arc<dyn Files>, PathBuf),
        me: Peer,
        cluster: String,
        mut members: Vec<String>,
        version: u32,
    ) -> Result<Self, FoundingError> {
        members.sort();
        members.dedup();
        let charter = Charter::read(&*files, &path)?;
        let (turn, adopted) = (tokio::sync::Mutex::default(), watch::Sender::default());
        let inner = Inner {
            host,
            me,
            cluster,
            members,
            version,
            files,
            path,
            charter: Mutex::default(),
            turn,
            adopted,
        };
        if let Some(charter) = charter {
            inner.check(&charter)?;
            *inner.lock() = Some(charter);
        }
        Ok(Self(Arc::new(inner)))
    }

    pub(crate) fn me(&self) -> &Peer {
        &self.0.me
    }

    pub(super) fn cluster(&self) -> &str {
        &self.0.cluster
    }

    /// The newest engine version that it goes along with.
    pub(super) fn version(&self) -> u32 {
        self.0.version
    }

    pub(crate) fn members(&self) -> &[String] {
        &self.0.members
    }

    /// What this node has agreed to.
    pub(crate) fn charter(&self) -> Option<Charter> {
        self.0.lock().clone()
    }

    /// What it says of itself.
    pub(super) fn introduction(&self) -> Introduction {
        let (members, version) = (self.0.members.clone(), self.0.version);
        Introduction { members, charter: self.charter(), version }
    }

    /// Changes when a charter was written.
    pub(super) fn adopted(&self) -> watch::Receiver<()> {
        self.0.adopted.subscribe()
    }

    /// Agrees to a charter: it is durable when this returns.
    ///
    /// # Errors
    /// When it is of another cluster, or another one was agreed to.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether it is agreed to.
    pub(crate) async fn adopt(&self, charter: &Charter) -> Result<(), FoundingError> {
        let inner = &self.0;
        inner.check(charter)?;
        let _turn = inner.turn.lock().await;
        let held = inner.lock().clone();
        match held {
            Some(held) if held == *charter => return Ok(()),
            Some(held) => {
                let members = held.members.keys().map(ToString::to_string).collect();
                return Err(FoundingError::FoundedBefore { cluster: held.cluster, members });
            }
            None => {}
        }
        let (done, written) = oneshot::channel();
        let (this, new) = (Arc::clone(inner), charter.clone());
        let write = async move {
            // Whoever waited may have gone.
            let _ = done.send(new.write(&*this.files, &this.path).await);
        };
        // It waits for the disk, which those who answer peers must not.
        drop(inner.host.spawn_thread("charter", Box::pin(write)));
        let lost = |_| std::io::Error::other("the charter was given up");
        written.await.map_err(lost).map_err(|error| inner.io(error))??;
        *inner.lock() = Some(charter.clone());
        inner.adopted.send_replace(());
        Ok(())
    }
}

impl Inner {
    /// Whether the charter is one of this cluster.
    fn check(&self, charter: &Charter) -> Result<(), FoundingError> {
        if charter.cluster != self.cluster {
            return Err(FoundingError::OfAnother {
                found: charter.cluster.clone(),
                expected: self.cluster.clone(),
            });
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Charter>> {
        self.charter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn io(&self, error: std::io::Error) -> catga_journal::segment::SegmentError {
        catga_journal::segment::SegmentError::Io { path: self.path.clone(), source: error }
    }
}

impl Serve for Founder {
    fn serve(
        &self,
        _: &Peer,
        _: Topic,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        let this = self.clone();
        Box::pin(async move {
            let said = |error: &dyn std::fmt::Display| error.to_string();
            match Kind::of(&request).map_err(|error| said(&error))? {
                Kind::Introduction => Ok(this.introduction().encode()),
                Kind::Adopt => {
                    let charter = messages::read_adopt(request).map_err(|error| said(&error))?;
                    this.adopt(&charter).await.map_err(|error| said(&error))?;
                    Ok(messages::adopted())
                }
                kind => Err(format!("{kind} does not belong to the founding of a cluster")),
            }
        })
    }
}
