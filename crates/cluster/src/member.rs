//! A node with peers, on a data directory.

mod desk;
mod options;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use catga_core::{Fault, FaultCode};
use catga_host::Host;
use catga_journal::{Journal, Log, Replica};

use self::desk::Desk;
pub use self::options::MemberOptions;
use crate::belonging::Belonging;
use crate::founding::{Founder, found};
use crate::joining::{Admission, Joined, Petition};
#[cfg(feature = "tls")]
use crate::link::Credentials;
use crate::opening::{on_a_thread, open_journal};
use crate::{Address, Charter, DataDir, Links, Options, Peer, RaftLog, Serve};

/// A node among its peers, which reach it from now on; its journal is not open yet.
///
/// Peers' connections are given to the [links](Self::links). When the last clone of those and the
/// journal are gone, nothing of the node is left.
pub struct Member {
    host: Arc<dyn Host>,
    options: MemberOptions,
    dir: DataDir,
    me: Peer,
    founder: Founder,
    links: Links,
    desk: Arc<Desk>,
}

impl Member {
    /// Takes the data directory, and makes the links of the node that `options` describe. Nobody is
    /// dialled yet.
    ///
    /// # Errors
    /// Whatever is wrong with the directory, named; nothing was changed in it then.
    ///
    /// # Cancel safety
    /// Dropping the future gives the directory back.
    pub async fn prepare(host: Arc<dyn Host>, options: MemberOptions) -> Result<Self, Fault> {
        on_a_thread(&host.clone(), Self::prepare_on_this_thread(host, options)).await
    }

    async fn prepare_on_this_thread(
        host: Arc<dyn Host>,
        options: MemberOptions,
    ) -> Result<Self, Fault> {
        let node = &options.data.replica.node;
        #[cfg(feature = "tls")]
        let credentials = {
            let load = |tls| Credentials::load(host.clone(), tls, &options.cluster, node);
            let loaded = options.tls.clone().map(load).transpose();
            // Before anything is touched.
            loaded.map_err(|error| Fault::new(FaultCode::LogUnavailable, error.to_string()))?
        };
        let dir = DataDir::open(&host, &options.data.dir, node).await?;
        let identity = dir.identity();
        let me = Peer { name: identity.name.clone(), id: identity.id, store: identity.store };
        let files = (dir.files(), dir.charter());
        let cluster = options.cluster.clone();
        let members = options.members.iter().map(ToString::to_string).collect();
        let version = options.data.replica.engine_version_max;
        let founder =
            Founder::open(Arc::clone(&host), files, me.clone(), cluster, members, version);
        let founder = founder.map_err(Fault::from).inspect_err(|_| dir.release())?;
        let link_options = options.link_options(me.clone());
        #[cfg(feature = "tls")]
        let link_options = match credentials {
            Some(credentials) => link_options.with_tls(credentials),
            None => link_options,
        };
        let links = Links::new(Arc::clone(&host), link_options);
        let desk = Arc::new(Desk::new(founder.clone()));
        links.serve(Arc::clone(&desk) as Arc<dyn Serve>);
        Ok(Self { host, options, dir, me, founder, links, desk })
    }

    /// The links to its peers.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Where it keeps its data.
    pub fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// Hands requests of the topic [`Application`](crate::Topic::Application) to `handler`; those
    /// that came before were refused. It is set once.
    pub fn serve(&self, handler: Arc<dyn Serve>) {
        self.desk.set_application(handler);
    }

    /// Opens the journal: founds the cluster with the other members if it is new, or takes the
    /// node's place in it, or joins it.
    ///
    /// When this returns the node takes part; what the others have acknowledged meanwhile may still
    /// be on its way.
    ///
    /// # Errors
    /// What is wrong with the data, or with the members; see
    /// [`FoundingError`](crate::FoundingError).
    ///
    /// # Cancel safety
    /// Dropping the future ends what was started. What was agreed with others stays.
    pub async fn open(&self) -> Result<Arc<Replica<RaftLog>>, Fault> {
        let opened = self.take_part().await;
        opened.inspect_err(|_| self.dir.release())
    }

    async fn take_part(&self) -> Result<Arc<Replica<RaftLog>>, Fault> {
        let Self { host, options, dir, .. } = self;
        let begun = self.keeps_a_log()?;
        if !begun {
            self.links.connect_to(&options.members);
        }
        if begun && self.founder.charter().is_none() {
            // It was a process of its own so far, and others may join it now.
            let incarnation = dir.identity().incarnation;
            let (cluster, own) = (&options.cluster, &options.address);
            let version = options.data.replica.engine_version_max;
            let charter = Charter::of_one(cluster, incarnation, &self.me, own, version);
            self.founder.adopt(&charter).await?;
        }
        let (own, patience) = (&options.address, options.patience);
        let charter = found(&**host, &self.links, &self.founder, own, begun, patience).await?;
        let mut raft = Options::new(self.me.id, host.random());
        raft.election_timeout = options.election_timeout;
        raft.heartbeat_interval = options.heartbeat_interval;
        let replica = {
            let (host, dir, data) = (Arc::clone(host), dir.clone(), options.data.clone());
            let (cluster, links) = (charter.cluster.clone(), self.links.clone());
            let incarnation = charter.incarnation;
            let open = async move {
                let cluster = Some((&*cluster, links));
                open_journal(&host, &dir, data, incarnation, raft, cluster).await
            };
            on_a_thread(&self.host, open).await?
        };
        let joined = self.join(&replica, &charter, begun).await;
        if let Err(fault) = joined {
            // Why the journal stopped says more than that the log did.
            let fault = replica.failure().unwrap_or(fault);
            replica.log().shutdown().await;
            return Err(fault);
        }
        Ok(replica)
    }

    /// Brings the node into the cluster that is open here.
    async fn join(
        &self,
        replica: &Arc<Replica<RaftLog>>,
        charter: &Charter,
        begun: bool,
    ) -> Result<(), Fault> {
        let Self { options, me, .. } = self;
        let log = replica.log();
        let members = options.members.iter().map(ToString::to_string).collect();
        let journal = Arc::downgrade(replica);
        let engine = move || journal.upgrade().map(|journal| journal.engine());
        let raft = log.raft().clone();
        let admission =
            Admission::new(raft, members, charter.incarnation, Arc::new(engine), log.room());
        let changing = log.changing();
        self.desk.set_log(log.serve(), admission.clone(), changing.clone());
        if charter.is_made_by(me) {
            log.initialize_if_new(charter.nodes()).await?;
        }
        let told: BTreeSet<Address> = options.members.iter().cloned().collect();
        let founders = charter.members.values().map(|member| Address::from(&*member.address));
        let others = told.iter().cloned().chain(founders).collect();
        // Who has begun knows the others from its log.
        let linked = if begun { BTreeSet::new() } else { told };
        let (host, links) = (Arc::clone(&self.host), self.links.clone());
        let place = (me.clone(), options.address.clone());
        let founded = charter.is_of(me);
        let mut petition = Petition::new(host, links, place, others, linked, admission, founded);
        // Who began the cluster has its place, whoever is there.
        let joined = match founded {
            true => Ok(()),
            false => self.join_others(&mut petition).await,
        };
        let (raft, dismissed) = (log.raft().clone(), log.dismissed.clone());
        let belonging = Belonging { raft, petition, changing, room: log.room(), dismissed };
        // It ends with the log.
        drop(self.host.spawn("belonging", Box::pin(belonging.watch())));
        joined
    }

    /// Waits until a leader has taken this node into the cluster.
    async fn join_others(&self, petition: &mut Petition) -> Result<(), Fault> {
        let options = &self.options;
        tracing::info!(cluster = options.cluster, "joining");
        let Some(joined) = petition.join(options.patience).await? else {
            let message = format!(
                "within {:?} no leader has taken this node into the cluster: a quorum of it must \
                 run",
                options.patience
            );
            return Err(Fault::new(FaultCode::LogUnavailable, message));
        };
        match joined {
            Joined::Voter => tracing::info!("joined with a vote"),
            Joined::Learner => tracing::info!("joined without a vote"),
        }
        Ok(())
    }

    /// True if this node has ever had a log, and so a place in some cluster.
    fn keeps_a_log(&self) -> Result<bool, Fault> {
        let log = self.dir.log();
        let names = self.dir.files().list(&log).map_err(|source| {
            Fault::from(crate::DataDirError::Unusable { dir: log.clone(), source })
        })?;
        Ok(!names.is_empty())
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("me", &self.me)
            .field("cluster", &self.options.cluster)
            .finish_non_exhaustive()
    }
}
