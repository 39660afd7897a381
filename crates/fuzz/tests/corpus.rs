//! A target tries every file of its corpus before anything else: what was found once is found again.

use std::sync::Mutex;

static SEEN: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

#[test]
fn the_corpus_is_tried() {
    // A file is longer than random inputs may be.
    catga_fuzz::target!(0, 4, |input: &[u8]| {
        SEEN.lock().expect("nobody panics").push(input.to_vec());
    });
    assert_eq!(*SEEN.lock().expect("nobody panics"), [b"an input of the corpus"]);
}

static LENGTHS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

#[test]
fn random_inputs_have_any_length_up_to_the_bound() {
    catga_fuzz::target!(400, 1000, |input: &[u8]| {
        LENGTHS.lock().expect("nobody panics").push(input.len());
    });
    let lengths = LENGTHS.lock().expect("nobody panics");
    for part in [0..250, 250..500, 500..750, 750..1001] {
        let count = lengths.iter().filter(|length| part.contains(*length)).count();
        assert!(count > 40, "{count} of {part:?}");
    }
    assert!(lengths.iter().all(|length| *length <= 1000));
}
