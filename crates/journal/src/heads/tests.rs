use std::sync::Arc;

use catga_host::Disk;

use super::*;

fn head(offset: u64) -> Option<RecordHead> {
    Some(RecordHead { offset: Offset(offset), value: Bytes::from(offset.to_string()) })
}

fn found(heads: &Heads, key: &StreamName) -> Option<RecordHead> {
    match heads.record(key) {
        Sought::Found(head) => head,
        Sought::Below(index) => record_head(&index, key).expect("a disk that reads"),
    }
}

/// What a reader finds of a record does not depend on how far a checkpoint has come.
#[tokio::test]
async fn a_record_is_found_wherever_a_checkpoint_has_taken_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let index = Index::empty(Arc::new(Disk), dir.path().to_owned()).expect("an index");
    let mut heads = Heads::over(index.clone());
    let (key, gone) = (StreamName::new("r", "1"), StreamName::new("r", "2"));
    assert_eq!(found(&heads, &key), None);
    heads.put_record(&key, head(1));
    heads.put_record(&gone, head(1));
    assert_eq!(found(&heads, &key), head(1), "in what changed lately");
    let first = heads.freeze();
    assert_eq!(found(&heads, &key), head(1), "in what a checkpoint writes down");
    heads.put_record(&gone, None);
    assert_eq!(found(&heads, &gone), None, "deleted above it");
    let second = heads.freeze();
    assert_eq!(found(&heads, &gone), None, "deleted in the newer one of two");
    let changes = Changed::newest([&*first, &*second].into_iter());
    heads.settle(2, index.with(changes).await.expect("a table"));
    assert_eq!(found(&heads, &key), head(1), "on disk");
    assert_eq!(found(&heads, &gone), None);
    heads.put_record(&key, head(2));
    assert_eq!(found(&heads, &key), head(2), "above the disk");
}
