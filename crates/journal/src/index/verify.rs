//! Every byte of an index's tables, for tools.

use std::path::PathBuf;
use std::sync::Arc;

use catga_host::Files;

use super::shared::{Shared, number};
use super::table::{BLOCK, FILTER, FOOTER, TRAILER, Table};
use super::{Options, TableName, block, filter};
use crate::amount::amount;
use crate::rolled::rolled;
use crate::segment::{SegmentError, Tail};

/// Reads each table that is in the directory or among `tables`, and gives what it holds or what is
/// wrong with it.
pub(crate) fn verify(
    files: Arc<dyn Files>,
    dir: PathBuf,
    tables: &[TableName],
) -> Vec<(PathBuf, Result<String, SegmentError>)> {
    let shared = match Shared::new(files, dir.clone(), Options::default()) {
        Ok(shared) => shared,
        Err(error) => return vec![(dir, Err(error))],
    };
    let mut reports = Vec::new();
    let mut names = tables.to_vec();
    names.sort_unstable();
    names.dedup();
    for name in &names {
        reports.push((shared.path(*name), table(&shared, *name)));
    }
    for name in shared.files.list(&shared.dir).unwrap_or_default() {
        let path = shared.dir.join(&name);
        let is_reported = reports.iter().any(|(reported, _)| *reported == path);
        if number(&name).is_some() && !is_reported {
            reports.push((path, Ok("no checkpoint has it".to_owned())));
        }
    }
    reports
}

fn table(shared: &Shared, name: TableName) -> Result<String, SegmentError> {
    let table = Table::open(shared, name)?;
    let reader = &table.reader;
    let mut scan = reader.scan();
    let (mut blocks, mut count, mut deleted) = (0, 0u64, 0u64);
    let (mut last, mut hash) = (Vec::new(), 0);
    let at_end = loop {
        let Some(frame) = scan.next()? else { break scan.at() };
        let damaged = |what| Err(reader.damaged(frame.at, what));
        match frame.kind {
            BLOCK if blocks < table.footer.blocks && frame.position == blocks as u64 => {}
            FILTER | FOOTER | TRAILER if blocks == table.footer.blocks => continue,
            _ => return damaged("another frame stands there"),
        }
        let block = &*frame.payload;
        let mut at = 0;
        while at < block.len() {
            let Some(change) = block::change_at(block, at) else {
                return damaged("a block cannot be read");
            };
            let key = change.key(block);
            let is_known = at > 0 || table.footer.key(blocks) == key;
            if count > 0 && *last >= *key || !is_known {
                return damaged("its keys are not in order");
            }
            if !table.filter.may_have(filter::hash(key)) {
                return damaged("the filter does not have one of its keys");
            }
            count += 1;
            deleted += u64::from(change.value(block).is_none());
            last.clear();
            last.extend_from_slice(key);
            at = change.end();
        }
        if table.footer.place(blocks).0 != frame.at {
            return damaged("it stands elsewhere than the footer says");
        }
        hash = rolled(hash, block);
        blocks += 1;
    };
    if hash != table.footer.hash {
        return Err(reader.damaged(at_end, "its blocks are not those of its footer"));
    }
    match scan.tail()? {
        Tail::Sealed { end } if end == table.bytes && count == table.footer.count => {
            let (keys, blocks) = (amount(count, "key"), amount(blocks as u64, "block"));
            Ok(format!("{keys}, {deleted} of them deleted, {blocks}"))
        }
        _ => Err(reader.damaged(at_end, "frames are missing there")),
    }
}
