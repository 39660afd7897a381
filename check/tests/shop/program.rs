use std::fs;
use std::path::Path;
use std::process::Command;

use catga_check::{Case, HISTORY, JOURNAL};
use serde::Serialize;

use super::service::shop;

pub(crate) fn lines<T: Serialize>(all: impl IntoIterator<Item = T>) -> String {
    let line = |one| serde_json::to_string(&one).expect("it is written") + "\n";
    all.into_iter().map(line).collect()
}

fn write(case: &Case, dir: &Path) {
    fs::write(dir.join(HISTORY), lines(case.history.operations())).expect("written");
    for journal in &case.journals {
        let name = format!("{JOURNAL}{}.jsonl", journal.node);
        fs::write(dir.join(name), lines(&journal.records)).expect("written");
    }
}

/// How the program ends, and what it says.
fn judge(dir: &Path) -> (Option<i32>, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_catga-check")).arg(dir).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_program_says_what_a_run_is_worth_by_how_it_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let (code, said) = judge(dir);
    assert!(code == Some(3) && said.contains("there is no history"), "{said}");
    let mut case = shop(3, 6, 400);
    write(&case, dir);
    let (code, said) = judge(dir);
    assert!(code == Some(0) && said.contains("3 journals"), "{said}");
    let answered = case.history.operations().find(|it| it.is_answered()).expect("some").number;
    case.history.get_mut(answered).expect("the same").position = None;
    write(&case, dir);
    let (code, said) = judge(dir);
    assert!(code == Some(1) && said.contains("VIOLATED"), "{said}");
    fs::write(dir.join(HISTORY), "{\"what\": 1}\n").expect("written");
    let (code, said) = judge(dir);
    assert!(code == Some(3) && said.contains("line 1"), "{said}");
}
