use std::path::Path;

use catga_core::NodeName;
use catga_fuzz::{Choices, allocated, write_checksums};
use catga_host::{Files, Open};
use catga_testkit::disk::SimDisk;
use tokio::runtime::Builder;

use super::Identity;
use crate::StoreId;

const PATH: &str = "/identity";

/// What is read of a file at once.
const READ_BYTES: usize = 80 << 10;

/// A node is nobody else after its disk lost something.
#[test]
fn an_identity_on_disk_is_the_one_that_was_written() {
    let runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    catga_fuzz::target!(3_000, 512, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mends = choices.flip();
        let identity = Identity {
            name: NodeName::new(choices.text(20)),
            id: choices.number(),
            store: StoreId(choices.number().into()),
            incarnation: choices.number(),
            has_log: choices.flip(),
        };
        let write = |identity: &Identity| {
            let disk = SimDisk::new(1);
            runtime.block_on(identity.write(&disk, Path::new(PATH))).expect("written");
            disk
        };
        let good = write(&identity).contents(PATH).expect("it is there");
        let mut bytes = good.clone();
        choices.change(&mut bytes);
        if mends {
            write_checksums(&mut bytes);
        }
        let disk = SimDisk::new(1);
        let file = disk.open(Path::new(PATH), Open::Create).expect("a file");
        file.write_at(&bytes, 0).expect("written");
        let (read, took) = allocated(|| Identity::read(&disk, Path::new(PATH)));
        assert!(took.largest <= 4 * bytes.len() + READ_BYTES, "{took:?} of {} bytes", bytes.len());
        match read {
            Ok(Some(read)) if mends => {
                let again = Identity::read(&write(&read), Path::new(PATH));
                assert_eq!(again.expect("whole"), Some(read));
            }
            Ok(read) => assert_eq!(read, Some(identity)),
            Err(error) => {
                assert_ne!(bytes, good, "{error}");
                assert!(error.to_string().contains(PATH), "{error}");
            }
        }
    });
}
