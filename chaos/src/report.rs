use std::fmt;
use std::time::Duration;

use catga_check::Verdict;

use crate::counts::Counts;
use crate::nemesis::Nemesis;
use crate::schedule::Happened;

/// What came of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// What each checker says.
    pub verdicts: Vec<(&'static str, Verdict)>,
    /// What the nodes did that they never should, besides what the checkers see.
    pub accused: Vec<String>,
    /// What it went through.
    pub counts: Counts,
    /// How long it took after the last fault until every node had acknowledged an order.
    pub served: Option<Duration>,
    /// What was between and beneath the nodes.
    pub machine: [String; 2],
    pub(crate) happened: Happened,
}

/// So many findings of a checker, and so many accusations, are shown.
const SHOWN: usize = 6;

impl Report {
    /// True if every promise was kept, and the nodes did nothing that they never should.
    pub fn is_good(&self) -> bool {
        self.accused.is_empty() && self.verdicts.iter().all(|(_, verdict)| verdict.is_pass())
    }

    /// What could have happened here and never did.
    pub fn missing(&self) -> Vec<&'static str> {
        self.happened.missing()
    }

    /// How often a kind of fault was done, by its name; none if there is no such kind.
    pub fn installed(&self, name: &str) -> Option<u64> {
        let count = |(nemesis, count): (&Nemesis, &u64)| (nemesis.name() == name).then_some(*count);
        self.happened.installed.iter().find_map(count)
    }

    /// What could not happen here, and why.
    pub fn skipped(&self) -> Vec<(&'static str, &str)> {
        let skipped = self.happened.skipped.iter();
        skipped.map(|(nemesis, why)| (nemesis.name(), why.as_str())).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for what in &self.machine {
            writeln!(f, "{:>24} {what}", "with")?;
        }
        for (name, count) in self.counts.rows() {
            writeln!(f, "{name:>24} {count}")?;
        }
        let served = self.served.map_or("never".to_owned(), |took| format!("{took:?}"));
        writeln!(f, "{:>24} {served}", "each node served after")?;
        for (name, why) in self.skipped() {
            writeln!(f, "{name:>24} skipped: {why}")?;
        }
        for (name, verdict) in &self.verdicts {
            writeln!(f, "{name:>24} {verdict}")?;
            for finding in verdict.findings().iter().take(SHOWN) {
                writeln!(f, "{:>24}   {finding}", "")?;
            }
        }
        for what in self.accused.iter().take(SHOWN) {
            writeln!(f, "{:>24} {what}", "ACCUSED")?;
        }
        if self.accused.len() > SHOWN {
            writeln!(f, "{:>24} {} times more", "ACCUSED", self.accused.len() - SHOWN)?;
        }
        Ok(())
    }
}
