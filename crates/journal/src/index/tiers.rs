//! Which tables are merged.
//!
//! Tables are in tiers by their size, each reaching to four times the size of the one below. A
//! table counts as of the highest tier of those that are not older than it, so that the tables of
//! a tier follow each other in age. Where a tier has four, they are merged into one, which mostly
//! is of the next tier. So there are at most three in each tier when nothing is left to do, and a
//! change is written again about once for each tier.

use std::ops::Range;
use std::sync::Arc;

use super::table::Table;

/// How many tables of one tier are merged, and how much larger each tier's are. Less would write
/// every change more often, more would have more tables to look into.
const FACTOR: u64 = 4;

/// How large a table may become: its file must be below the 32 GiB that places in it can name.
const TABLE_BYTES_MAX: u64 = 16 << 30;

/// How large the keys of its blocks may become, which are one frame.
const FOOTER_BYTES_MAX: u64 = 128 << 20;

/// The tables to be merged next, of the smallest tier that has enough; none of `busy` are among
/// them. `tables` are newest first; those below `tier_bytes` are all of one tier.
pub(super) fn due(
    tables: &[Arc<Table>],
    tier_bytes: u64,
    busy: Option<&Range<usize>>,
) -> Option<Range<usize>> {
    let mut highest = 0;
    let mut start = 0;
    for end in 0..=tables.len() {
        let own = tables.get(end).map(|table| tier(table.bytes, tier_bytes));
        if own.is_some_and(|own| own <= highest) {
            continue;
        }
        let group = start..end;
        if group.len() as u64 >= FACTOR && is_free(&group, busy) && fits(&tables[group.clone()]) {
            return Some(group);
        }
        start = end;
        highest = own.unwrap_or(highest);
    }
    None
}

/// How many bytes it takes to merge them.
pub(super) fn bytes(tables: &[Arc<Table>]) -> u64 {
    tables.iter().map(|table| table.bytes).sum()
}

fn is_free(group: &Range<usize>, busy: Option<&Range<usize>>) -> bool {
    busy.is_none_or(|busy| group.end <= busy.start || busy.end <= group.start)
}

fn fits(tables: &[Arc<Table>]) -> bool {
    let keys: u64 = tables.iter().map(|table| table.footer.len()).sum();
    bytes(tables) <= TABLE_BYTES_MAX && keys <= FOOTER_BYTES_MAX
}

fn tier(bytes: u64, tier_bytes: u64) -> u32 {
    (bytes / tier_bytes.max(1)).checked_ilog(FACTOR).map_or(0, |tier| tier + 1)
}
