use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use order_cluster::fleet::{ServerOptions, Servers};
use order_cluster::trial::{Moment, Plan, Progress, Verdict, Whom, Wrong, run};
use tempfile::TempDir;

/// How many clients place orders at once.
const CLIENTS: usize = 16;

/// Crashes to be shown.
pub(crate) struct Demo {
    /// One process, in place of the three nodes of a cluster.
    pub(crate) is_alone: bool,
    /// Where the service keeps its data; none takes a directory that is removed afterwards.
    pub(crate) dir: Option<PathBuf>,
    pub(crate) kills: usize,
    pub(crate) orders: usize,
}

/// Shows that a killed process loses nothing that it acknowledged, and says what it counted.
pub(crate) async fn demo(demo: Demo) -> Result<ExitCode, Box<dyn Error>> {
    let (temporary, dir) = match &demo.dir {
        Some(dir) => (None, dir.clone()),
        None => {
            let temporary = tempfile::Builder::new().prefix("order-cluster-").tempdir()?;
            let dir = temporary.path().join(if demo.is_alone { "node1" } else { "" });
            (Some(temporary), dir)
        }
    };
    let program = std::env::current_exe()?;
    let options = match demo.is_alone {
        true => vec![ServerOptions::new(program, dir)],
        false => ServerOptions::cluster(program, &dir),
    };
    let shown = tokio::select! {
        shown = show(&demo, options.clone()) => shown,
        interrupted = tokio::signal::ctrl_c() => {
            // What it has placed so far is of no use to anybody.
            return interrupted.map(|()| ExitCode::from(130)).map_err(Into::into);
        }
    };
    if let Ok(verdict) = &shown {
        std::io::stdout().write_all(report(&demo, verdict).as_bytes())?;
    }
    if shown.as_ref().is_ok_and(Verdict::is_good) {
        return Ok(ExitCode::SUCCESS);
    }
    // For whoever looks into it.
    temporary.map(TempDir::keep);
    for ServerOptions { node, log, dir, .. } in &options {
        let (log, dir) = (log.display(), dir.display());
        writeln!(std::io::stderr(), "the log of {node} is {log}, its data is in {dir}")?;
    }
    shown.map(|_| ExitCode::FAILURE)
}

async fn show(demo: &Demo, options: Vec<ServerOptions>) -> Result<Verdict, Box<dyn Error>> {
    let at_work = |_: &mut fastrand::Rng| (Whom::Leader, Moment::AtWork);
    let plan = Plan::spread(CLIENTS, demo.orders, demo.kills, fastrand::u64(..), at_work);
    let bar = bar(demo.orders);
    bar.set_message("starting the service");
    let mut servers = Servers::start(options).await?;
    let watch = |progress: Progress| {
        bar.set_position(progress.acknowledged as u64);
        bar.set_message(match progress.kills {
            _ if progress.reads_back => "reading every order back".to_owned(),
            kills => format!("orders acknowledged, {kills} of {} kills", demo.kills),
        });
    };
    let done = run(&mut servers, &plan, watch).await;
    bar.finish_and_clear();
    let (_, verdict) = done?;
    Ok(verdict)
}

/// A bar on standard error; none where nobody watches.
fn bar(orders: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(orders as u64), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    bar.with_style(style.expect("the template is written here"))
}

fn report(demo: &Demo, verdict: &Verdict) -> String {
    let (place, killed) = match demo.is_alone {
        true => ("", "The process"),
        false => (" at three nodes", "The node that led"),
    };
    let mut text = format!(
        "\n{CLIENTS} clients placed orders{place}, each under a key of its own. {killed} was killed \
         and started again.\n\n"
    );
    let mut row = |name: &str, value: String, note: &str| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {}", format!("{name:<26}{value:>9}   {note}").trim_end());
    };
    let cancelled = format!("{} cancelled later", grouped(verdict.cancelled));
    row("orders acknowledged", grouped(verdict.acknowledged), &cancelled);
    let under_load = format!("{} with requests under way", verdict.kills_under_load);
    row("kills (SIGKILL)", grouped(verdict.kills), &under_load);
    row("requests cut off", grouped(verdict.cut_off), "sent, and nobody answered");
    row("answered after a retry", grouped(verdict.retried), "under the same key");
    let before = format!("{} of them answered before a kill", grouped(verdict.repeated_after_kill));
    row("keys asked again", grouped(verdict.repeated), &before);
    if !demo.is_alone {
        row(
            "keys asked elsewhere",
            grouped(verdict.repeated_elsewhere),
            "than at the node that had answered",
        );
        row("elections", verdict.elections.to_string(), "");
    }
    let pause = "from a kill to the next acknowledged order";
    row("longest pause", seconds(verdict.longest_pause), pause);
    let restart = "from the start of the process until it is ready";
    row("longest restart", seconds(verdict.longest_restart), restart);
    let count = |wrong| grouped(verdict.findings.count(wrong));
    row("lost", count(Wrong::Lost), "");
    row("doubled", count(Wrong::Doubled), "");
    row("answers that differ", count(Wrong::Differs), "");
    if verdict.is_good() {
        let place = if demo.is_alone { "there" } else { "on every node" };
        let _ = writeln!(
            text,
            "\nEvery acknowledged order is {place}, once, and as it was acknowledged."
        );
    } else if verdict.findings.is_empty() {
        text.push_str("\nNo kill happened under load: this has shown nothing.\n");
    } else {
        let _ = writeln!(text, "\nThis must not happen: {}", verdict.findings);
    }
    text
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// `12345` as `12,345`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped_by_thousands() {
        let all: Vec<_> = [0, 999, 1000, 1_234_567].map(grouped).into();
        assert_eq!(all, ["0", "999", "1,000", "1,234,567"]);
    }
}
