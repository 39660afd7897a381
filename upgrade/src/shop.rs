//! What the two releases of a shop share: how they are started.

use std::process;
use std::time::Duration;
use std::{io, thread};

use catga::{Cluster, EnvironmentError};

/// Ends this process when whoever started it ends.
///
/// # Errors
/// When the machine gives no thread.
pub fn end_with_parent() -> io::Result<()> {
    let watch = || {
        // Nobody writes there; what matters is the end, of whatever kind.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(1);
    };
    thread::Builder::new().name("with-parent".to_owned()).spawn(watch).map(drop)
}

/// The cluster that the environment describes, with short timeouts.
///
/// # Errors
/// Every variable that cannot be used.
pub fn cluster() -> Result<Cluster, EnvironmentError> {
    let cluster = Cluster::from_env()?;
    Ok(cluster
        .election_timeout(Duration::from_millis(150))
        .heartbeat_interval(Duration::from_millis(50)))
}
