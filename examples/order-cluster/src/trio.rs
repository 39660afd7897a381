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

/// Runs them until a signal comes, or no majority of them is left; then drains them.
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
        () = stop.asked() => match &ended {
            Some(_) => Ok(()),
            None => return Ok(ExitCode::FAILURE),
        },
    };
    match ended {
        Some(why) => Err(why.into_iter().map(advised).collect::<Vec<_>>().join("\n").into()),
        None => {
            stopped?;
            say("All of them have stopped.\n");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Starts them and says where they are; why that has come to an end.
async fn serve(servers: &mut Servers, trio: &Trio) -> Vec<ServerError> {
    let started = async {
        servers.spawn()?;
        servers.until_ready().await?;
        servers.leader().await
    };
    let leader = match started.await {
        Ok((leader, _)) => leader,
        Err(why) => return vec![why],
    };
    say(&welcome(trio, servers, leader));
    let mut gone = Vec::new();
    loop {
        if let Err(why) = look_after(servers, &mut gone).await {
            gone.push(why);
            return gone;
        }
        let left = servers.all().len() - gone.len();
        if left * 2 <= servers.all().len() {
            say("\nNo majority of them is left: the others are drained.\n");
            return gone;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Starts those again that were killed, as whatever looks after processes does. One that ended by
/// itself has a reason, and would end again: it is `gone`.
async fn look_after(servers: &mut Servers, gone: &mut Vec<ServerError>) -> Result<(), ServerError> {
    let mut killed = Vec::new();
    for number in 0..servers.all().len() {
        let Err(why) = servers.one(number).check() else { continue };
        if let Some(node) = why.killed() {
            say(&format!("\n{node} was killed; the others go on.\n"));
            killed.push(number);
        } else {
            say(&format!("\n{why}; the others go on.\n"));
            // It is not looked at any more.
            servers.one(number).kill()?;
            gone.push(why);
        }
    }
    if killed.is_empty() { Ok(()) } else { start_again(servers, &killed).await }
}

/// Starts those with these numbers again, all before it waits for one: they may need each other.
async fn start_again(servers: &mut Servers, killed: &[usize]) -> Result<(), ServerError> {
    tokio::time::sleep(BREAK).await;
    // None leads if too many were killed.
    if let Ok(Ok((leader, _))) = tokio::time::timeout(BREAK, servers.leader()).await {
        say(&format!("{} leads.\n", servers.all()[leader].options().node));
    }
    for number in killed {
        let server = servers.one(*number);
        server.spawn()?;
        say(&format!("{} is started again.\n", server.options().node));
    }
    for number in killed {
        let server = servers.one(*number);
        match server.until_ready().await {
            Ok(_) => {
                let (node, pid) = (&server.options().node, server.pid().unwrap_or_default());
                say(&format!(
                    "{node} is back, as process {pid}, with everything that it missed.\n"
                ));
            }
            // The next look says why.
            Err(ServerError::Ended { .. }) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

/// What went wrong, and what can be done about it where that is known.
fn advised(why: ServerError) -> String {
    let advice = match why.is_port_taken() {
        true => "\nmove all of them to ports that are free, such as with --port 6001",
        false => "",
    };
    format!("{why}{advice}")
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
One that ends by itself says why, and the others go on without it.
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
