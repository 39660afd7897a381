use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::fsync::{self, Fsync};
use super::table::table;
use super::{Bar, Row};

/// The results of one benchmark.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) bench: &'static str,
    /// The size of one command, where all have one size.
    pub(crate) payload_bytes: Option<usize>,
    pub(crate) rows: Vec<Row>,
    pub(crate) bars: Vec<Bar>,
    /// What a reader of the table has to know.
    pub(crate) notes: Vec<String>,
}

#[derive(Serialize)]
struct Written<'a> {
    bench: &'a str,
    commit: String,
    cores: usize,
    fsync_us: Fsync,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_bytes: Option<usize>,
    rows: &'a [Row],
}

impl Report {
    /// Prints the table and writes the file.
    pub(crate) fn publish(&self) -> Result<()> {
        ensure!(!self.rows.is_empty(), "nothing is left by --only, --cases and --clients");
        let fsync_us = fsync::measure()?;
        let written = Written {
            bench: self.bench,
            commit: env::var("CATGA_BENCH_COMMIT").unwrap_or_else(|_| "unknown".to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            fsync_us,
            payload_bytes: self.payload_bytes,
            rows: &self.rows,
        };
        let path = folder()?.join(format!("{}.json", self.bench));
        let text = serde_json::to_string_pretty(&written)?;
        fs::write(&path, text + "\n").with_context(|| format!("cannot write {path:?}"))?;
        println!("{}", table(&self.rows, &self.bars));
        for note in &self.notes {
            println!("{note}");
        }
        println!(
            "{} cores, commit {}, fsync p50 {:.0} µs, p99 {:.0} µs; {}",
            written.cores,
            written.commit,
            fsync_us.p50,
            fsync_us.p99,
            path.display()
        );
        Ok(())
    }

    /// The row of a subject in a case.
    pub(crate) fn row(&self, case: &str, subject: &str, clients: Option<usize>) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.case == case && row.subject == subject && row.clients == clients)
    }
}

/// `target/bench`, made if it is missing.
pub(crate) fn folder() -> Result<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")),
        PathBuf::from,
    );
    let folder = target.join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {folder:?}"))?;
    Ok(folder.canonicalize()?)
}
