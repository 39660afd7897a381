use std::error::Error;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use catga::enrolment::Enrolment;
use catga::http::{AdminToken, AdminTokenError, Server, backups_from_env};
use catga::prelude::*;
use catga::{Backups, DataDir, InCluster, Node, OnDisk};
use order_cluster::{routes::routes, service::Orders};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::members::Member;
use crate::operate::{TOKEN_FILE, given_token};
use crate::parent::end_with_parent;

/// What is logged if RUST_LOG says nothing: of the consensus engine no warnings, since it has one for
/// each heartbeat that a member which is down does not get, and there are twenty a second.
pub(crate) const LOGGED: &str = "info,openraft=error";

/// One node that serves.
pub(crate) struct Serving {
    pub(crate) node: String,
    pub(crate) place: Place,
    /// It ends when its standard input does.
    pub(crate) with_parent: bool,
}

/// Where a node keeps what is ordered.
pub(crate) enum Place {
    /// Nowhere.
    Memory,
    /// On its own disk.
    Disk(Data),
    /// On the disks of a majority of its cluster, its own among them.
    Cluster(Member, Data),
}

/// Where a node's data is.
pub(crate) struct Data {
    pub(crate) path: PathBuf,
    /// It keeps little of its log.
    pub(crate) short_log: bool,
}

impl Data {
    fn dir(&self) -> DataDir {
        let dir = DataDir::new(&self.path);
        match self.short_log {
            false => dir,
            true => dir
                .checkpoint_bytes(64 << 10)
                .checkpoint_interval(Duration::from_millis(100))
                .log_kept_bytes(64 << 10)
                .segment_bytes(256 << 10),
        }
    }
}

/// Serves until a signal drains it.
pub(crate) async fn serve(serving: Serving) -> Result<ExitCode, Box<dyn Error>> {
    start_log();
    if serving.with_parent {
        end_with_parent()?;
    }
    let operation = Operation::from_env()?;
    let builder = Catga::builder().name(serving.node).service(|n| Orders { book: n.projection() });
    // By certificates alone: what a new node gets for a token is one.
    let (builder, routes) = match &serving.place {
        Place::Cluster(member, _) if member.has_tls() => {
            let member = member.clone();
            (builder.service(move |n| member.enrolment(n)), Enrolment::routes(routes()))
        }
        _ => (builder, routes()),
    };
    let node = match &serving.place {
        Place::Memory => builder.start().await?,
        Place::Disk(data) => builder.data_dir(data.dir()).start().await?,
        Place::Cluster(member, data) => {
            builder.cluster(member.cluster(data.dir())?).start().await?
        }
    };
    say_what_survives(&node, &serving.place);
    let mut server = Server::new(node, routes);
    if let Some(token) = operation.token_at(&serving.place)? {
        server = server.admin(token);
    }
    if let Some(backups) = operation.backups {
        server = server.backups(backups);
    }
    server.run().await?;
    Ok(ExitCode::SUCCESS)
}

/// What the environment says of operators.
struct Operation {
    token: Option<AdminToken>,
    backups: Option<Backups>,
}

impl Operation {
    /// Read before anything is opened.
    ///
    /// # Errors
    /// Everything that cannot be used.
    fn from_env() -> Result<Self, String> {
        let token = given_token().and_then(|token| {
            let token = token.map(|token| AdminToken::new(&token)).transpose();
            token.map_err(|error| format!("ADMIN_TOKEN: {error}"))
        });
        let backups = backups_from_env().map_err(|error| error.to_string());
        let dir = std::env::var_os("BACKUP_DIR").map_or(Ok(()), |dir| make(Path::new(&dir)));
        match (token, backups, dir) {
            (Ok(token), Ok(backups), Ok(())) => Ok(Self { token, backups }),
            (token, backups, dir) => {
                let faults = [token.err(), backups.err(), dir.err()];
                Err(faults.into_iter().flatten().collect::<Vec<_>>().join("\n"))
            }
        }
    }

    /// What operators show: as the environment says, or as the node keeps it with its data.
    fn token_at(&self, place: &Place) -> Result<Option<AdminToken>, AdminTokenError> {
        match (&self.token, place) {
            (Some(token), _) => Ok(Some(token.clone())),
            (None, Place::Cluster(_, data)) => {
                AdminToken::kept_in(data.path.join(TOKEN_FILE)).map(Some)
            }
            (None, _) => Ok(None),
        }
    }
}

/// Makes the directory of the backups, unless it is there.
fn make(dir: &Path) -> Result<(), String> {
    let must = "it must be a directory, or be possible to make";
    let failed = |error| {
        format!("the environment variable BACKUP_DIR is `{}`: {must}: {error}", dir.display())
    };
    std::fs::create_dir_all(dir).map_err(failed)
}

fn start_log() {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| LOGGED.to_owned());
    // What is wrong with RUST_LOG is said and passed over.
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter.parse_lossy(wanted))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

fn say_what_survives(node: &Node, place: &Place) {
    let survives = node.cluster().status().guarantees.survives;
    match place {
        Place::Memory => {
            tracing::warn!(%survives, "nothing is kept: orders are gone with the process");
        }
        Place::Disk(data) | Place::Cluster(_, data) => {
            let dir = std::path::absolute(&data.path).unwrap_or_else(|_| data.path.clone());
            tracing::info!(data = %dir.display(), %survives, "an acknowledged order is on disk");
        }
    }
}
