use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex as Lock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use order_cluster::fleet::{Server, ServerError, ServerOptions, Servers, Status, free_port};
use tokio::sync::{Mutex, MutexGuard};

use crate::backups;
use crate::disk::Disk;
use crate::network::Network;
use crate::plan::Plan;
use crate::proxies::Proxies;
use crate::wires::Wires;

/// The nodes, and what there is between and beneath them.
pub(crate) struct Cluster {
    sites: Vec<Mutex<Site>>,
    addresses: Vec<SocketAddr>,
    pub(crate) wires: Wires,
    /// Why the nodes have no disks of their own, if they have none.
    pub(crate) no_disks: Option<String>,
    /// What the nodes did that they never should.
    accused: Lock<Vec<String>>,
}

/// One node. Whoever does something to it holds it until that is over.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) disk: Option<Disk>,
    /// Its disk has no room.
    pub(crate) is_full: bool,
    /// It was given an empty directory, and has had no vote since.
    pub(crate) is_new: bool,
    /// When it last ended by itself.
    ended: Option<Instant>,
}

/// What an operator shows to any of the nodes.
pub(crate) const OPERATORS_TOKEN: &str = "of the operators of a cluster that suffers";

/// The ports in their own networks, from the first node on.
const PORT: u16 = 5001;
/// How often somebody looks whether a node has ended by itself.
const LOOK: Duration = Duration::from_millis(100);
/// How long one that has ended by itself is left alone: it may do so again.
const BREAK: Duration = Duration::from_secs(1);

impl Cluster {
    /// Starts the nodes: each in a network and on a disk of its own if that is allowed here, else
    /// behind proxies and in a directory.
    ///
    /// # Errors
    /// When they do not start.
    pub(crate) async fn start(plan: &Plan) -> Result<Self> {
        let network = match plan.proxies {
            true => Err("proxies were asked for".to_owned()),
            false => Network::create(plan.nodes),
        };
        // The proxies' nodes are on this machine: ports are drawn, and may be taken meanwhile.
        let first = if network.is_ok() { PORT } else { free_port(plan.nodes) };
        let address = |number: usize| {
            let host = network.as_ref().map_or(Ipv4Addr::LOCALHOST, |it| it.host(number));
            let port = first + u16::try_from(number).unwrap_or_default();
            SocketAddr::from((host, port))
        };
        let addresses: Vec<_> = (0..plan.nodes).map(address).collect();
        let wires = match network {
            Ok(network) => Wires::Networks(network),
            Err(why) => Wires::Proxies(Proxies::start(&addresses)?, why),
        };
        let (disks, no_disks) = disks(plan);
        let all = ServerOptions::cluster_of(plan.nodes, &plan.program, &plan.dir);
        let options = all.into_iter().enumerate().map(|(number, options)| {
            let data = options.dir.join("data");
            let options = options.dir(data).short_log();
            let options = options
                .variable("ADMIN_TOKEN", OPERATORS_TOKEN)
                .variable("BACKUP_DIR", backups::dir(&plan.dir).display().to_string())
                .variable("BACKUP_KEEP", backups::KEPT.to_string());
            wires.tell(number, options)
        });
        let mut servers = Servers::new(options.collect(), first);
        servers.spawn()?;
        servers.until_ready().await.context("start the cluster")?;
        let site = |(server, disk)| Mutex::new(Site::new(server, disk));
        let sites = servers.into_all().into_iter().zip(disks).map(site).collect();
        Ok(Self { sites, addresses, wires, no_disks, accused: Lock::default() })
    }

    /// Those that were not started, with others that answer in their place.
    #[cfg(test)]
    pub(crate) fn of(servers: Vec<Server>, addresses: Vec<SocketAddr>) -> Self {
        let proxies = Proxies::start(&[]).expect("there are none");
        let wires = Wires::Proxies(proxies, String::new());
        let sites = servers.into_iter().map(|server| Mutex::new(Site::new(server, None))).collect();
        Self { sites, addresses, wires, no_disks: None, accused: Lock::default() }
    }

    /// Where they listen.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What is between and beneath them, in words.
    pub(crate) fn described(&self) -> [String; 2] {
        let disks = match &self.no_disks {
            None => "a disk for each node".to_owned(),
            Some(why) => format!("directories in place of disks ({why})"),
        };
        [self.wires.described(), disks]
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sites.len()
    }

    /// The fewest that are more than half.
    pub(crate) fn majority(&self) -> usize {
        self.sites.len() / 2 + 1
    }

    /// Takes a node, once nobody else does anything to it.
    pub(crate) async fn hold(&self, number: usize) -> MutexGuard<'_, Site> {
        self.sites[number].lock().await
    }

    /// Takes several, which must be in order, so that nobody waits for whom waits for them.
    pub(crate) async fn hold_all(&self, numbers: &[usize]) -> Vec<MutexGuard<'_, Site>> {
        debug_assert!(numbers.is_sorted());
        let mut held = Vec::new();
        for number in numbers {
            held.push(self.hold(*number).await);
        }
        held
    }

    /// Who leads as it says itself, if anybody does; of several the one of the latest term.
    pub(crate) async fn leader(&self) -> Option<(usize, u64)> {
        let mut leader = None::<(usize, u64)>;
        for (number, address) in self.addresses.iter().enumerate() {
            if let Some(status) = Status::of(*address).await.filter(|status| status.is_leader) {
                let term = status.term;
                leader = leader.filter(|(_, known)| *known > term).or(Some((number, term)));
            }
        }
        leader
    }

    /// What a node says of itself and the others, if it says so at once.
    pub(crate) async fn status(&self, number: usize) -> Option<Status> {
        Status::of(self.addresses[number]).await
    }

    /// Notes what a node did that it never should.
    pub(crate) fn accuse(&self, what: String) {
        self.accused.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// What they did that they never should.
    pub(crate) fn accused(&self) -> Vec<String> {
        self.accused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes every node that ends by itself, and starts it again.
    ///
    /// # Errors
    /// When the machine refuses.
    pub(crate) async fn watch(&self) -> Result<()> {
        loop {
            for site in &self.sites {
                // Who is held is meant to be gone.
                let Ok(mut site) = site.try_lock() else { continue };
                self.mind(&mut site)?;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Starts a node that has ended by itself, unless it can do nothing without room; and notes why.
    fn mind(&self, site: &mut Site) -> Result<()> {
        match site.server.check() {
            Ok(()) => {}
            Err(why) => self.blame(site, why)?,
        }
        let is_calm = site.ended.is_none_or(|ended| ended.elapsed() > BREAK);
        if site.server.pid().is_none() && !site.is_full && is_calm {
            site.server.spawn()?;
        }
        Ok(())
    }

    /// Notes why a process has ended, or did not end as it should, and sees to it that it is gone.
    ///
    /// # Errors
    /// When it is the machine's fault.
    pub(crate) fn blame(&self, site: &mut Site, why: ServerError) -> Result<()> {
        match &why {
            // Without room nobody has promised to begin; where there is some, it is started again.
            ServerError::Ended { said, .. } if site.is_new && could_not_begin(said) => {}
            ServerError::Ended { .. } | ServerError::TooLate { .. } => self.accuse(why.to_string()),
            _ => return Err(why.into()),
        }
        site.ended = Some(Instant::now());
        site.server.kill()?;
        Ok(())
    }

    /// Undoes everything: no link is cut, no disk full, every process there and awake.
    ///
    /// # Errors
    /// When the machine refuses.
    pub(crate) async fn heal(&self) -> Result<()> {
        self.wires.heal()?;
        for site in &self.sites {
            let mut site = site.lock().await;
            site.free()?;
            site.server.wake()?;
            self.mind(&mut site)?;
            if site.server.pid().is_none() {
                // However recently it has ended.
                site.server.spawn()?;
            }
        }
        Ok(())
    }

    /// Waits until every node is ready. What each lacks, if that takes longer than `patience`.
    ///
    /// # Errors
    /// When the machine refuses.
    pub(crate) async fn until_ready(&self, patience: Duration) -> Result<Result<Duration, String>> {
        let since = Instant::now();
        loop {
            let mut late = Vec::new();
            for address in &self.addresses {
                let mut client = order_cluster::client::Client::new(vec![*address]);
                let ready = client.send(&order_cluster::client::Call::get("/readyz")).await;
                match ready {
                    Ok(answer) if answer.status == 200 => {}
                    Ok(answer) => late.push(format!("{address} says {}", answer.status)),
                    Err(why) => late.push(format!("{address}: {why}")),
                }
            }
            if late.is_empty() {
                return Ok(Ok(since.elapsed()));
            }
            if since.elapsed() > patience {
                return Ok(Err(late.join("; ")));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The servers as one, and their disks; nothing more is done to them one by one.
    pub(crate) fn into_parts(self) -> (Servers, Vec<Option<Disk>>, Wires) {
        let sites = self.sites.into_iter().map(|site| {
            let Site { server, disk, .. } = site.into_inner();
            (server, disk)
        });
        let (servers, disks) = sites.unzip();
        (Servers::of(servers), disks, self.wires)
    }
}

impl Site {
    fn new(server: Server, disk: Option<Disk>) -> Self {
        Self { server, disk, is_full: false, is_new: false, ended: None }
    }

    /// Leaves so little room on its disk. False if it has none of its own.
    pub(crate) fn fill(&mut self, left: u64) -> Result<bool> {
        let Some(disk) = &self.disk else { return Ok(false) };
        disk.fill(left).map_err(|why| anyhow!(why))?;
        self.is_full = true;
        Ok(true)
    }

    /// Gives the room back.
    pub(crate) fn free(&mut self) -> Result<()> {
        self.is_full = false;
        self.disk.as_ref().map_or(Ok(()), Disk::free).map_err(|why| anyhow!(why))
    }
}

/// True if a node that said this could not start since it had no room.
fn could_not_begin(said: &str) -> bool {
    let line = said.lines().find(|line| line.contains("the node cannot start"));
    line.is_some_and(|line| line.contains("storage-full"))
}

/// A disk for each node, or why there are none.
fn disks(plan: &Plan) -> (Vec<Option<Disk>>, Option<String>) {
    let names = (1..=plan.nodes).map(|number| plan.dir.join(format!("node{number}")));
    let made: Result<Vec<_>, String> = names.map(|at: std::path::PathBuf| disk(&at)).collect();
    match made {
        Ok(disks) => (disks.into_iter().map(Some).collect(), None),
        Err(why) => ((0..plan.nodes).map(|_| None).collect(), Some(why)),
    }
}

fn disk(at: &Path) -> Result<Disk, String> {
    Disk::create(at)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn who_has_nothing_yet_may_end_for_want_of_room_and_nobody_else_may() {
        let full = "WARN no room\nerror: the node cannot start: storage-full: no room\n";
        let torn = "error: the node cannot start: unreadable: a frame\n";
        let later = "error: storage-full: no room\n";
        for (is_new, said, accused) in
            [(true, full, 0), (false, full, 1), (true, torn, 1), (true, later, 1)]
        {
            let cluster = Cluster::of(Vec::new(), Vec::new());
            let mut site = Site::new(Server::alone(ServerOptions::new("none", "none"), 1), None);
            site.is_new = is_new;
            let (node, status) = ("node1".to_owned(), ExitStatus::from_raw(256));
            let (said, log) = (said.to_owned(), "node1.log".into());
            let why = ServerError::Ended { node, status, said, log };
            cluster.blame(&mut site, why).expect("noted");
            assert_eq!(cluster.accused().len(), accused, "{:?}", cluster.accused());
        }
    }
}
