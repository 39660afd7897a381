use std::fs;

use catga_check::{Case, HISTORY, History, JOURNAL, Outcome, Recorder, Status};

use super::service::shop;

fn all_pass(case: &Case, what: &str) {
    for (name, verdict) in case.judge() {
        assert!(verdict.is_pass(), "{what}, {name}: {verdict} {:?}", verdict.findings());
    }
}

#[test]
fn a_service_that_keeps_every_promise_passes() {
    let mut counts = [0; 5];
    for seed in 0..100 {
        let clients = 1 + usize::try_from(seed % 12).expect("it is small");
        let mut case = shop(seed, clients, 600);
        all_pass(&case, &format!("seed {seed}"));
        for operation in case.history.operations() {
            let shown = operation.shown().map(|shown| shown.status);
            counts[0] += usize::from(operation.outcome == Outcome::Unknown);
            counts[1] += usize::from(operation.outcome == Outcome::NotExecuted);
            counts[2] += usize::from(operation.refusal().is_some());
            counts[3] += usize::from(operation.attempt > 1);
            counts[4] += usize::from(shown == Some(Status::Cancelled));
        }
        // Who has no journals knows less, and accuses nobody.
        case.journals.clear();
        all_pass(&case, &format!("seed {seed} without journals"));
    }
    assert!(counts.iter().all(|count| *count > 300), "{counts:?}");
}

#[test]
fn a_history_is_what_was_recorded_and_survives_being_cut_off() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(HISTORY);
    let (case, recorder) = (shop(1, 4, 200), Recorder::create(&path).expect("a file"));
    let mut expected = History::default();
    for operation in case.history.operations() {
        let sent = recorder.invoke(operation.clone()).expect("noted");
        assert!(sent.outcome == Outcome::Unknown && sent.position.is_none());
        let (outcome, position) = (operation.outcome.clone(), operation.position);
        let mut heard = catga_check::Operation { outcome, position, ..sent };
        recorder.returned(&mut heard).expect("noted");
        expected.push(heard);
    }
    let text = fs::read_to_string(&path).expect("a history");
    assert_eq!(History::read(&text).expect("it is one"), expected);
    let torn = History::read(&text[..text.len() - 9]).expect("it is one");
    assert!(torn.is_torn && torn.len() == expected.len());
    let last = torn.operations().last().expect("some");
    assert_eq!(last.outcome, Outcome::Unknown, "nobody heard of it");
    let broken = text.replacen("\"client\"", "\"", 1);
    assert_eq!(History::read(&broken).expect_err("it is none").line, 1);
    fs::write(dir.path().join(format!("{JOURNAL}node1.jsonl")), "").expect("written");
    let read = Case::read(&[dir.path().to_owned()]).expect("a run");
    assert_eq!((read.history, read.journals.len()), (expected, 1));
}
