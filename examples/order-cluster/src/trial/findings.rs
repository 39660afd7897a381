use std::fmt;

/// What was found to be wrong: how often, and the first few in words.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    counts: [usize; 4],
    said: Vec<String>,
}

/// In which way something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// An order that was acknowledged is not there.
    Lost,
    /// A key has more than one order, or there is an order that nobody placed.
    Doubled,
    /// An order is not as it was acknowledged, or a repeated key got another answer.
    Differs,
    /// The service gave an answer that it never should, or none at all.
    Unexpected,
}

/// So many are told in words; thousands would say no more.
const SAID_MAX: usize = 10;

impl Findings {
    /// Notes one more.
    pub fn add(&mut self, wrong: Wrong, what: impl Into<String>) {
        self.counts[wrong as usize] += 1;
        if self.said.len() < SAID_MAX {
            self.said.push(format!("{wrong:?}: {}", what.into()));
        }
    }

    /// How many there are of a kind.
    pub fn count(&self, wrong: Wrong) -> usize {
        self.counts[wrong as usize]
    }

    /// True if nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.counts == [0; 4]
    }

    /// Adds what was found elsewhere.
    pub fn extend(&mut self, others: Self) {
        for (count, more) in self.counts.iter_mut().zip(others.counts) {
            *count += more;
        }
        self.said.extend(others.said);
        self.said.truncate(SAID_MAX);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [lost, doubled, differing, unexpected] = self.counts;
        write!(
            f,
            "{lost} lost, {doubled} doubled, {differing} differing, {unexpected} unexpected"
        )?;
        self.said.iter().try_for_each(|said| write!(f, "\n{said}"))
    }
}
