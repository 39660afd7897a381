//! How soon a node of one process serves, what it takes while idle, how large the program is, and
//! how long it takes to build.

mod build;
mod program;

use anyhow::Result;

use self::program::Program;
use crate::harness::{Bar, Figures, Lane, Options, Report, take_turns};

/// Runs the benchmark.
pub(crate) fn run(options: &Options) -> Result<()> {
    let program = build::release()?;
    let bytes = std::fs::metadata(&program)?.len();
    let serving = || {
        let (_program, took) = Program::start(&program)?;
        Ok(Figures { ms: Some(took.as_secs_f64() * 1e3), ..Figures::default() })
    };
    let idle = || {
        let (program, _) = Program::start(&program)?;
        Ok(Figures { rss_mb: Some(program.idle_rss_mb()?), ..Figures::default() })
    };
    let lanes = vec![lane("serving", serving), lane("idle", idle)];
    let mut rows = take_turns(options, options.pick(5, 15), lanes)?;
    let size = move || Ok(Figures { mb: Some(bytes as f64 / 1e6), ..Figures::default() });
    rows.extend(take_turns(options, 3, vec![lane("size", size)])?);
    if !options.quick {
        rows.extend(build::cold(options)?);
    }
    let mut report = Report {
        bench: "start",
        payload_bytes: None,
        rows,
        bars: Vec::new(),
        notes: vec!["The order service of the examples, in one process, in release.".to_owned()],
    };
    report.bars = bars(&report);
    report.publish()
}

fn lane<'a>(case: &str, round: impl FnMut() -> Result<Figures> + 'a) -> Lane<'a> {
    Lane {
        case: case.to_owned(),
        subject: "catga",
        settings: "",
        clients: None,
        round: Box::new(round),
    }
}

fn bars(report: &Report) -> Vec<Bar> {
    let mut bars = Vec::new();
    for row in &report.rows {
        let figures = &row.figures;
        let limits = [
            ("ms", figures.ms, 50.0),
            ("MB resident", figures.rss_mb, 25.0),
            ("MB", figures.mb, 15.0),
        ];
        for (what, value, limit) in limits {
            if let Some(value) = value {
                bars.push(Bar::at_most(&row.case, row.subject, what, value, limit));
            }
        }
    }
    bars
}
