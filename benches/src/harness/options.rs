/// Options of every benchmark.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// At most a minute: less sure numbers, the same ratios
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these subjects
    #[arg(long, value_name = "SUBJECT,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

impl Options {
    /// Whether the subject is to be measured.
    pub(crate) fn wants(&self, subject: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == subject)
    }

    /// `quick` in a quick run, else `full`.
    pub(crate) fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}
