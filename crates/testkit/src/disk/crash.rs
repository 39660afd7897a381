use fastrand::Rng;

use super::change::{ContentChange, NameChange};
use super::content::Content;
use super::counts::Counts;
use super::state::{Image, State};

/// What a disk writes in one step: the parts of a write that survive are made of these.
const SECTOR: u64 = 512;

/// What is lost of the changes that were not durable when a machine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lost {
    /// All of them.
    All,
    /// Whatever chance decides: an arbitrary part of them.
    Some,
    /// None of them.
    None,
}

/// What becomes of one change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Torn,
    Lost,
}

/// How chance deals with the changes of one file, or with those of names.
///
/// Both kinds of loss are wanted often: the one that cuts the newest changes off, and the one that
/// leaves holes.
enum Deal {
    /// Those before a certain one are kept, those after it are lost.
    Cut(usize),
    /// Each is kept in so many cases of eight.
    Each(u8),
}

impl Deal {
    fn of(changes: usize, random: &mut Rng) -> Self {
        if random.bool() {
            Self::Cut(random.usize(..=changes))
        } else {
            Self::Each(*random.choice(&[1, 4, 7]).unwrap_or(&4))
        }
    }

    fn fate(&self, number: usize, random: &mut Rng) -> Fate {
        match self {
            Self::Cut(at) if number < *at => Fate::Kept,
            Self::Cut(at) if number == *at => Fate::Torn,
            Self::Cut(_) => Fate::Lost,
            Self::Each(_) if random.u8(..4) == 0 => Fate::Torn,
            Self::Each(eighths) if random.u8(..8) < *eighths => Fate::Kept,
            Self::Each(_) => Fate::Lost,
        }
    }
}

impl State {
    /// What is found after the power went, when what is `lost` of it is lost. What was lost and
    /// torn is added to `counts`.
    pub(super) fn after_crash(&self, lost: Lost, random: &mut Rng, counts: &mut Counts) -> Self {
        let mut found = self.durable.clone();
        self.names_found(&mut found, lost, random, counts);
        for (file, changes) in &self.contents {
            let Some(content) = found.files.get_mut(file) else { continue };
            let deal = Deal::of(changes.len(), random);
            for (number, (_, change)) in changes.iter().enumerate() {
                let fate = match lost {
                    Lost::All => Fate::Lost,
                    Lost::None => Fate::Kept,
                    Lost::Some => deal.fate(number, random),
                };
                match (change, fate) {
                    (ContentChange::Write { at, data }, _) => {
                        let fate = write_found(content, *at, data, lost, fate, random);
                        match fate {
                            Fate::Kept => counts.kept_writes += 1,
                            Fate::Torn => counts.torn_writes += 1,
                            Fate::Lost => counts.lost_writes += 1,
                        }
                    }
                    (_, Fate::Lost) => counts.lost_lengths += 1,
                    (_, Fate::Torn) if random.bool() => counts.lost_lengths += 1,
                    (_, _) => change.apply(content),
                }
            }
        }
        let named = |image: &Image, file| image.names_file(file);
        let unnamed: Vec<_> =
            found.files.keys().copied().filter(|file| !named(&found, *file)).collect();
        unnamed.iter().for_each(|file| _ = found.files.remove(file));
        Self::at_rest(self.seq, self.next_file, found)
    }

    fn names_found(&self, found: &mut Image, lost: Lost, random: &mut Rng, counts: &mut Counts) {
        let deal = Deal::of(self.names.len(), random);
        for (number, (_, change)) in self.names.iter().enumerate() {
            let kept = match lost {
                Lost::All => false,
                Lost::None => true,
                Lost::Some => match deal.fate(number, random) {
                    Fate::Kept => true,
                    // A name is whole or it is not there.
                    Fate::Torn => random.bool(),
                    Fate::Lost => false,
                },
            };
            if kept {
                change.apply(&mut found.names);
            } else {
                counts.lost_names += 1;
            }
        }
        // What stands in a directory that is lost is lost with it. In order, those above first.
        let lost_dirs = self.names.iter().any(|(_, c)| matches!(c, NameChange::MakeDir { .. }));
        if lost_dirs {
            let paths: Vec<_> = found.names.keys().cloned().collect();
            for path in paths {
                if path.parent().is_some_and(|dir| found.node(dir).is_none()) {
                    found.names.remove(&path);
                }
            }
        }
    }
}

/// Writes what survives of a write. Gives back what really became of it: one that lies within a
/// sector cannot be torn.
fn write_found(
    content: &mut Content,
    at: u64,
    data: &[u8],
    lost: Lost,
    fate: Fate,
    random: &mut Rng,
) -> Fate {
    let end = at + data.len() as u64;
    let sectors = sectors(at, data.len());
    let (kept, of) = match fate {
        Fate::Kept => {
            content.write(data, at);
            return Fate::Kept;
        }
        Fate::Lost => (0, sectors.len()),
        Fate::Torn => {
            let cut = random.usize(..=sectors.len());
            let way = random.u8(..3);
            let mut kept = 0;
            for (number, sector) in sectors.iter().enumerate() {
                let survives = match way {
                    0 => number < cut,
                    1 => number >= cut,
                    _ => random.bool(),
                };
                if survives {
                    kept += 1;
                    content.write(&data[sector.clone()], at + sector.start as u64);
                }
            }
            (kept, sectors.len())
        }
    };
    // The length may be found without what was written there, which then reads as zero.
    if lost == Lost::Some && random.u8(..4) == 0 {
        content.lengthen(end);
    }
    match kept {
        0 => Fate::Lost,
        kept if kept == of => Fate::Kept,
        _ => Fate::Torn,
    }
}

/// The parts of `len` bytes at `at` that lie in one sector each.
pub(super) fn sectors(at: u64, len: usize) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let mut from = 0;
    while from < len {
        let rest = SECTOR - (at + from as u64) % SECTOR;
        let to = len.min(from.saturating_add(usize::try_from(rest).unwrap_or(usize::MAX)));
        parts.push(from..to);
        from = to;
    }
    parts
}
