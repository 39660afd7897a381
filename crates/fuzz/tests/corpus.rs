//! A target tries every file of its corpus before anything else: what was found once is found again.

use std::sync::Mutex;

static SEEN: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

#[test]
fn the_corpus_is_tried() {
    catga_fuzz::target!(0, 64, |input: &[u8]| {
        SEEN.lock().expect("nobody panics").push(input.to_vec());
    });
    assert_eq!(*SEEN.lock().expect("nobody panics"), [b"an input of the corpus"]);
}
