use anyhow::{Result, ensure};

/// Options of every benchmark.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// At most a minute: less sure numbers, the same ratios
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these subjects
    #[arg(long, value_name = "SUBJECT,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Only these cases
    #[arg(long, value_name = "CASE,…", value_delimiter = ',')]
    pub(crate) cases: Vec<String>,
    /// Only these numbers of clients
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub(crate) clients: Vec<usize>,
}

impl Options {
    /// Whether the subject is to be measured.
    pub(crate) fn wants(&self, subject: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == subject)
    }

    /// Whether the case is to be measured with so many clients, if it has such.
    pub(crate) fn wants_case(&self, case: &str, clients: Option<usize>) -> bool {
        let case = self.cases.is_empty() || self.cases.iter().any(|wanted| wanted == case);
        case && (self.clients.is_empty() || clients.is_some_and(|it| self.clients.contains(&it)))
    }

    /// For benchmarks of which each part needs those before it.
    ///
    /// # Errors
    /// When only some of it is wanted.
    pub(crate) fn ensure_whole(&self) -> Result<()> {
        let is_whole = self.only.is_empty() && self.cases.is_empty() && self.clients.is_empty();
        ensure!(is_whole, "this benchmark is run whole: without --only, --cases and --clients");
        Ok(())
    }

    /// `quick` in a quick run, else `full`.
    pub(crate) fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}
