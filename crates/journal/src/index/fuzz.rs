use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use catga_fuzz::{Choices, allocated, write_checksums};
use catga_host::{Files, Open};
use catga_testkit::disk::SimDisk;
use tokio::runtime::Builder;

use super::footer::Footer;
use super::verify::verify;
use super::{Index, TableName, block, table_path};

const DIR: &str = "/index";

/// What is read of a file at once, and a little more.
const READ_BYTES: usize = 300 << 10;

fn key(number: usize) -> Bytes {
    Bytes::from(format!("order-{number}"))
}

fn value(number: usize) -> Option<Bytes> {
    (!number.is_multiple_of(7)).then(|| Bytes::from(vec![number as u8; number % 60]))
}

async fn written(disk: &SimDisk) -> Vec<TableName> {
    disk.create_dir(Path::new(DIR)).await.expect("made");
    let index = Index::empty(Arc::new(disk.clone()), DIR.into()).expect("a directory");
    let mut changes: Vec<_> = (0..300).map(|number| (key(number), value(number))).collect();
    changes.sort();
    index.with(changes).await.expect("written").tables()
}

/// A key of a table that was changed has the value that was written, or an error says that the table is
/// damaged. Nothing panics where the checksums were written anew.
#[test]
fn a_table_gives_what_was_put_into_it_or_an_error() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let disk = SimDisk::new(1);
    let tables = runtime.block_on(written(&disk));
    let path = table_path(Path::new(DIR), tables[0]);
    let good = disk.contents(&path).expect("it is there");
    catga_fuzz::target!(1_000, 256, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let (mends, mut bytes) = (choices.flip(), good.clone());
        choices.change(&mut bytes);
        if mends {
            write_checksums(&mut bytes);
        }
        let disk = SimDisk::new(1);
        runtime.block_on(disk.create_dir(Path::new(DIR))).expect("made");
        let file = disk.open(&path, Open::Create).expect("a file");
        file.write_at(&bytes, 0).expect("written");
        let files: Arc<dyn Files> = Arc::new(disk);
        let looked = || -> Result<(), String> {
            let index = Index::open(Arc::clone(&files), PathBuf::from(DIR), &tables);
            let index = index.map_err(|error| error.to_string())?;
            for number in 0..330 {
                let found = index.get(&key(number)).map_err(|error| error.to_string())?;
                let expected = (number < 300).then(|| value(number)).flatten();
                assert!(mends || found == expected, "{number}: {found:?}");
            }
            Ok(())
        };
        let (looked, took) = allocated(looked);
        assert!(took.largest <= READ_BYTES + 4 * bytes.len(), "{took:?}");
        if let Err(error) = &looked {
            assert!(bytes != good && error.contains(DIR), "{error}");
        }
        let found = verify(files, PathBuf::from(DIR), &tables);
        let damaged = found.iter().any(|(_, found)| found.is_err());
        assert!(looked.is_ok() || damaged, "{looked:?}");
    });
}

#[test]
fn the_end_of_a_table_and_its_blocks_are_read_or_refused() {
    catga_fuzz::target!(6_000, 512, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mut block = Vec::new();
        let mut lines = super::footer::Lines::default();
        for number in 0..choices.below(9) {
            lines.push(64 + 8 * number as u64, choices.bytes(12));
            let value = choices.flip().then(|| choices.bytes(12));
            block::put(&mut block, choices.bytes(12), value);
        }
        let mut footer = lines.footer(9, 64 + 8 * 20, choices.number(), choices.number()).encode();
        choices.change(&mut footer);
        let (read, took) = allocated(|| Footer::decode(footer.clone().into()));
        assert!(took.total <= 256 + footer.len(), "{took:?}");
        if let Some(read) = read {
            assert_eq!(read.encode(), footer);
            for number in 0..read.blocks {
                let (at, end) = read.place(number);
                assert!(at < end && read.key(number).len() <= footer.len());
                let with = read.block_with(read.key(number));
                assert!(with.is_none_or(|with| with < read.blocks));
            }
        }
        choices.change(&mut block);
        let mut at = 0;
        while at < block.len() {
            let Some(change) = block::change_at(&block, at) else { break };
            assert!(
                change.key(&block).len() + change.value(&block).unwrap_or_default().len()
                    == change.len()
            );
            assert!(change.end() > at && change.end() <= block.len());
            at = change.end();
        }
        let _ = block::find(&block, choices.bytes(12));
    });
}
