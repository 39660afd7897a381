use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use catga_core::NodeName;
use catga_host::{Connection, Host};
use tokio::sync::{oneshot, watch};

use super::certified::Certified;
use super::files::{Contents, TlsError};
use super::keys::{Keys, Owner};
use super::{Tls, stream};
use crate::link::handshake::Unmet;

/// By what a node proves who it is, and knows who its peers are: the newest files that were good.
pub struct Credentials {
    host: Arc<dyn Host>,
    tls: Tls,
    owner: Owner,
    keys: watch::Sender<Arc<Keys>>,
    /// Why the files as they are now were not taken. Locked for one step.
    failure: Mutex<Option<([u8; 32], TlsError)>>,
}

/// How a node's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// When it begins to be valid, since the Unix epoch.
    pub not_before: Duration,
    /// When it expires, since the Unix epoch.
    pub not_after: Duration,
    /// How long it is valid; zero once it has expired.
    pub valid_for: Duration,
    /// Why the files as they are now were not taken, if they were not.
    pub reload_failure: Option<TlsError>,
}

impl Credentials {
    /// Reads the files of `tls`, which must be those of `node` in `cluster`. It blocks as reading
    /// does.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(
        host: Arc<dyn Host>,
        tls: Tls,
        cluster: &str,
        node: &NodeName,
    ) -> Result<Arc<Self>, TlsError> {
        let owner = Owner { cluster: cluster.to_owned(), node: node.as_str().to_owned() };
        let contents = Contents::read(&*host.files(), &tls);
        let keys = watch::Sender::new(Arc::new(Keys::new(&host, &tls, &owner, contents)?));
        let this = Self { host, tls, owner, keys, failure: Mutex::default() };
        let valid_for_s = this.certificate().valid_for.as_secs();
        tracing::info!(valid_for_s, "peers are met by TLS");
        Ok(Arc::new(this))
    }

    /// Reads the files again, as is done from time to time. True if they are new and were taken:
    /// links are made by them from now on, and those that are there are made anew soon. It blocks
    /// as reading does.
    ///
    /// # Errors
    /// Everything that is wrong with them; what was there before goes on.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let contents = Contents::read(&*self.host.files(), &self.tls);
        let digest = contents.digest();
        if digest == self.keys.borrow().digest {
            self.fail(None);
            return Ok(false);
        }
        match Keys::new(&self.host, &self.tls, &self.owner, contents) {
            Ok(keys) => {
                self.keys.send_replace(Arc::new(keys));
                self.fail(None);
                let valid_for_s = self.certificate().valid_for.as_secs();
                tracing::info!(valid_for_s, "new certificates were taken");
                Ok(true)
            }
            Err(error) => {
                if self.fail(Some((digest, error.clone()))) {
                    tracing::error!(%error, "new certificates were not taken; the old ones go on");
                }
                Err(error)
            }
        }
    }

    /// Reads the files again as [`reload`](Self::reload) does, on a thread that may block.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether they are read.
    pub async fn reload_apart(self: &Arc<Self>) -> Result<bool, TlsError> {
        let (tell, told) = oneshot::channel();
        let this = Arc::clone(self);
        // Whoever asked may have gone.
        let reload = async move { drop(tell.send(this.reload())) };
        drop(self.host.spawn_thread("tls files", Box::pin(reload)));
        let gone = || TlsError { faults: vec!["the node has ended".to_owned()] };
        told.await.unwrap_or_else(|_| Err(gone()))
    }

    /// How the node's certificate is.
    pub fn certificate(&self) -> Certificate {
        let [not_before, not_after] = self.keys.borrow().valid;
        let valid_for = not_after.saturating_sub(Duration::from_millis(self.host.wall_ms()));
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let reload_failure = failure.as_ref().map(|(_, error)| error.clone());
        Certificate { not_before, not_after, valid_for, reload_failure }
    }

    /// Keeps or forgets why the files were not taken. True if that is news.
    fn fail(&self, failure: Option<([u8; 32], TlsError)>) -> bool {
        let mut current = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = |failure: &Option<([u8; 32], TlsError)>| failure.as_ref().map(|(it, _)| *it);
        let is_news = digest(&current) != digest(&failure);
        *current = failure;
        is_news
    }

    /// Reads the files from time to time, without an end.
    pub(in crate::link) async fn look_after(self: Arc<Self>) {
        loop {
            self.host.sleep(self.tls.reload_interval).await;
            // It has said what is wrong.
            let _ = self.reload();
        }
    }

    /// How old a link becomes.
    pub(in crate::link) fn link_age_max(&self) -> Duration {
        self.tls.link_age_max
    }

    /// Hears of every change of the keys from now on.
    pub(in crate::link) fn changes(&self) -> Changes {
        Changes(self.keys.subscribe())
    }

    /// Puts TLS over a connection that this node has dialled, where `read` came before.
    pub(in crate::link) async fn dial(
        &self,
        stream: Connection,
        read: &BytesMut,
    ) -> Result<(Connection, Certified), Unmet> {
        stream::dial(self.now(), &*self.host, stream, read).await
    }

    /// Puts TLS over a connection that somebody has dialled.
    pub(in crate::link) async fn accept(
        &self,
        stream: Connection,
    ) -> Result<(Connection, Certified), Unmet> {
        stream::accept(self.now(), &*self.host, stream).await
    }

    fn now(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.borrow())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tls, owner, .. } = self;
        f.debug_struct("Credentials")
            .field("tls", tls)
            .field("owner", owner)
            .finish_non_exhaustive()
    }
}

/// Hears when the keys change.
pub(in crate::link) struct Changes(watch::Receiver<Arc<Keys>>);

impl Changes {
    /// Ready once they have changed.
    pub(in crate::link) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}
