use std::fs::{self, File};
use std::io::{Seek, Write};
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::{env, fmt};

/// The folder in which a run leaves what it did, for `cargo xtask fuzz`: `tried`, how many inputs;
/// `now`, the input that is tried, for whoever finds that the process has died of it or hangs; `found`,
/// the shortest input that panicked.
const RECORD: &str = "CATGA_FUZZ_RECORD";

/// What a target does with an input, and a record of it if somebody wants one.
pub struct Trials<F> {
    test: F,
    record: Option<Record>,
}

// A test that has panicked is run again only on other inputs, to find the shortest that fails.
impl<F> UnwindSafe for Trials<F> {}
impl<F> RefUnwindSafe for Trials<F> {}

impl<F> fmt::Debug for Trials<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trials").field("record", &self.record).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Record {
    dir: PathBuf,
    now: File,
    tried: u64,
    found: Option<usize>,
}

impl<F: FnMut(&[u8])> Trials<F> {
    /// None so far.
    pub fn begin(test: F) -> Self {
        let record = env::var_os(RECORD).map(|dir| Record::in_dir(dir.into()));
        Self { test, record }
    }

    /// Tries `input`.
    pub fn of(&mut self, input: &[u8]) {
        let Some(record) = &mut self.record else { return (self.test)(input) };
        record.tries(input);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (self.test)(input))) {
            record.finds(input);
            resume_unwind(panic);
        }
    }
}

impl Record {
    fn in_dir(dir: PathBuf) -> Self {
        fs::create_dir_all(&dir).expect("the folder of the record can be made");
        let now = File::create(dir.join("now")).expect("a record can be written");
        Self { dir, now, tried: 0, found: None }
    }

    fn tries(&mut self, input: &[u8]) {
        self.tried += 1;
        let written = self.now.rewind().and_then(|()| self.now.write_all(input));
        let cut = written.and_then(|()| self.now.set_len(input.len() as u64));
        cut.expect("a record can be written");
    }

    fn finds(&mut self, input: &[u8]) {
        if self.found.is_none_or(|len| input.len() < len) {
            self.found = Some(input.len());
            fs::write(self.dir.join("found"), input).expect("a record can be written");
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        fs::write(self.dir.join("tried"), self.tried.to_string()).expect("a record can be written");
    }
}
