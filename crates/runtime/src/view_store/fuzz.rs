use std::sync::Arc;

use catga_core::Offset;
use catga_fuzz::{Choices, allocated, write_checksums};
use catga_host::Disk;

use super::{Identity, ViewStore};

const BOOK: Identity = Identity { name: "orders", version: 2, incarnation: 7 };
const STATE: &[u8] = b"what was folded so far";

/// A view is made of a checkpoint that is its own and whole, or of the history.
#[test]
fn a_checkpoint_of_a_view_is_what_was_written_or_is_not_used() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = ViewStore::new(Arc::new(Disk), dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(store.write(&BOOK, Offset(3), STATE)).expect("written");
    let good = std::fs::read(store.path(BOOK.name)).expect("it is there");
    catga_fuzz::target!(400, 256, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let (mends, mut bytes) = (choices.flip(), good.clone());
        choices.change(&mut bytes);
        if mends {
            write_checksums(&mut bytes);
        }
        let of = match choices.byte() % 4 {
            0 => Identity { version: 3, ..BOOK },
            1 => Identity { incarnation: 8, ..BOOK },
            2 => Identity { name: "order", ..BOOK },
            _ => BOOK,
        };
        std::fs::write(store.path(of.name), &bytes).expect("written");
        let (read, took) = allocated(|| store.read(&of));
        assert!(took.largest <= (80 << 10) + 4 * bytes.len(), "{took:?}");
        match read {
            Ok(Some((offset, state))) if !mends => {
                assert_eq!((of, offset, &*state), (BOOK, Offset(3), STATE));
            }
            Ok(read) => assert!(read.is_some_and(|(_, state)| state.len() < bytes.len())),
            Err(why) => {
                assert!(bytes != good || of != BOOK, "{why}");
                assert!(!why.to_string().is_empty());
            }
        }
    });
}
