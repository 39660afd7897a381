use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use order_cluster::fleet::{ServerError, ServerOptions, Servers};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::members::Members;

/// How often it looks whether one of the three has ended.
const LOOK: Duration = Duration::from_millis(100);

/// How long a node that was killed stays away, so that one can see that the others go on.
const BREAK: Duration = Duration::from_secs(2);

/// The nodes on this machine, each in a process of its own.
pub(crate) struct Trio {
    pub(crate) members: Members,
    /// Each has a directory below it.
    pub(crate) dir: PathBuf,
    /// Where their certificates are, if they meet by such.
    pub(crate) tls: Option<PathBuf>,
}

/// Runs them until a signal comes, or one of them ends; then drains them.
pub(crate) async fn run(trio: Trio) -> Result<ExitCode, Box<dyn Error>> {
    let mut stop = Stop::listen()?;
    let count = trio.members.all().len();
    let options = ServerOptions::cluster_of(count, std::env::current_exe()?, &trio.dir);
    let options = options.into_iter().map(|options| {
        let options = options.talkative();
        match &trio.tls {
            Some(dir) => options.tls(dir),
            None => options,
        }
    });
    let options = options.collect();
    let mut servers = Servers::new(options, trio.members.first());
    let ended = tokio::select! {
        ended = serve(&mut servers, &trio) => Some(ended),
        () = stop.asked() => None,
    };
    if ended.is_none() {
        say("\nDraining all of them; a second signal ends them at once.\n");
    }
    let stopped = tokio::select! {
        stopped = servers.stop() => stopped,
        // What is dropped is killed.
        () = stop.asked() => return Ok(ExitCode::FAILURE),
    };
    match ended {
        Some(why) => Err(advised(why)),
        None => {
            stopped?;
            say("All of them have stopped.\n");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Starts them and says where they are; why that has come to an end.
async fn serve(servers: &mut Servers, trio: &Trio) -> ServerError {
    let started = async {
        servers.spawn()?;
        servers.until_ready().await?;
        servers.leader().await
    };
    let leader = match started.await {
        Ok((leader, _)) => leader,
        Err(why) => return why,
    };
    say(&welcome(trio, servers, leader));
    loop {
        for number in 0..servers.all().len() {
            if let Err(why) = servers.one(number).check()
                && let Err(why) = start_again(servers, number, why).await
            {
                return why;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Starts a node again that was killed, as whatever looks after processes does; one that ended by
/// itself has a reason.
async fn start_again(
    servers: &mut Servers,
    number: usize,
    why: ServerError,
) -> Result<(), ServerError> {
    let Some(node) = why.killed() else { return Err(why) };
    say(&format!("\n{node} was killed; the others go on.\n"));
    tokio::time::sleep(BREAK).await;
    let (leader, _) = servers.leader().await?;
    let leader = &servers.all()[leader].options().node;
    say(&format!("{leader} leads. {node} is started again.\n"));
    let server = servers.one(number);
    server.spawn()?;
    server.until_ready().await?;
    let pid = server.pid().unwrap_or_default();
    say(&format!("{node} is back, as process {pid}, with everything that it missed.\n"));
    Ok(())
}

/// What went wrong, and what can be done about it where that is known.
fn advised(why: ServerError) -> Box<dyn Error> {
    if why.is_port_taken() {
        return format!("{why}\nmove all of them to ports that are free, such as with --port 6001")
            .into();
    }
    why.into()
}

fn welcome(trio: &Trio, servers: &Servers, leader: usize) -> String {
    let members = trio.members.all();
    let count = members.len();
    let mut text = format!("The order service runs: {count} processes, one cluster.\n\n");
    for (number, member) in members.iter().enumerate() {
        let leads = if number == leader { "   leads" } else { "" };
        let pid = servers.all()[number].pid().unwrap_or_default();
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "  {}  http://localhost:{}   process {pid}{leads}",
            member.name, member.port
        );
    }
    let port = |number: usize| members[number].port;
    let (one, two, three) = (port(0), port(1), port(count - 1));
    let dir = std::path::absolute(&trio.dir).unwrap_or_else(|_| trio.dir.clone());
    let dir: &Path = &dir;
    let _ = write!(
        text,
        r#"
  the API        http://localhost:{one}/swagger-ui
  data and logs  {dir}/node1, {dir}/node1.log and so on

Place an order at one node, read it at another, and see who leads:

  curl -i localhost:{one}/orders -H 'Content-Type: application/json' -H 'Idempotency-Key: a-1' \
       -d '{{"productId": "PROD-001", "quantity": 2, "customerId": "ann"}}'
  curl localhost:{two}/orders/customer/ann
  curl localhost:{three}/cluster/status

Kill the one that leads, with `kill -9` and its number: the others go on, and it is started again.
Ctrl-C drains all of them.
"#,
        dir = dir.display()
    );
    text
}

fn say(text: &str) {
    // What is done is done, whether anybody reads this or not.
    let _ = io::stdout().write_all(text.as_bytes());
}

/// The signals that ask a process to stop.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    /// Ready when one came since the last time.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
