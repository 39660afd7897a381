use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Figures, Options, Row};

/// One subject in one case: what one round of it measures.
pub(crate) struct Lane<'a> {
    pub(crate) case: String,
    pub(crate) subject: &'static str,
    /// Its version or settings.
    pub(crate) settings: &'static str,
    pub(crate) clients: Option<usize>,
    pub(crate) round: Box<dyn FnMut() -> Result<Figures> + 'a>,
}

/// Measures all lanes that the options want.
///
/// The subjects of a case take turns, so that whatever else the machine does falls on all of them:
/// A B A B …, at least three times. A row is the median round.
pub(crate) fn take_turns(
    options: &Options,
    rounds: usize,
    lanes: Vec<Lane<'_>>,
) -> Result<Vec<Row>> {
    // Lanes of one case stand together.
    take_turns_by(options, rounds, lanes, |a, b| a.case == b.case && a.clients == b.clients)
}

/// The same, where other lanes than those of one case take turns: neighbours that are `together`.
pub(crate) fn take_turns_by<'a>(
    options: &Options,
    rounds: usize,
    mut lanes: Vec<Lane<'a>>,
    together: impl Fn(&Lane<'a>, &Lane<'a>) -> bool,
) -> Result<Vec<Row>> {
    assert!(rounds >= 3, "fewer rounds have no median to speak of");
    lanes
        .retain(|lane| options.wants(lane.subject) && options.wants_case(&lane.case, lane.clients));
    let bar = progress((lanes.len() * rounds) as u64);
    let mut rows = Vec::new();
    for case in lanes.chunk_by_mut(together) {
        let mut measured = vec![Vec::new(); case.len()];
        for _ in 0..rounds {
            for (lane, measured) in case.iter_mut().zip(&mut measured) {
                bar.set_message(format!("{} {}", lane.case, lane.subject));
                let figures = (lane.round)()
                    .with_context(|| format!("{} failed in {}", lane.subject, lane.case))?;
                measured.push(figures);
                bar.inc(1);
            }
        }
        rows.extend(case.iter().zip(measured).map(|(lane, measured)| row(lane, measured)));
    }
    bar.finish_and_clear();
    Ok(rows)
}

fn row(lane: &Lane<'_>, mut measured: Vec<Figures>) -> Row {
    measured.sort_by(|a, b| a.key().total_cmp(&b.key()));
    let rounds = measured.len();
    let spread = measured[rounds - 1].key() - measured[0].key();
    let median = measured.swap_remove(rounds / 2);
    Row {
        case: lane.case.clone(),
        subject: lane.subject,
        clients: lane.clients,
        rounds,
        spread: (spread / median.key() * 1e3).round() / 1e3,
        figures: median,
        settings: lane.settings,
    }
}

/// A bar on standard error; none where nobody watches.
pub(crate) fn progress(steps: u64) -> ProgressBar {
    // This target draws nothing if standard error is not a terminal.
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
        .expect("the template is written here");
    bar.with_style(style)
}
