use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::time::Instant;

/// What happened in a run, in order and with the virtual time: two runs of one seed have the same.
///
/// It is a hash, so that it costs little, and the lines themselves where somebody wants to read
/// them. Clones share it; [`named`](Self::named) ones mark what they note, so that several
/// machines can share one.
///
/// ```
/// use catga_testkit::Trace;
///
/// let trace = Trace::new();
/// trace.keep_lines();
/// trace.named("n1").note(format_args!("elected in term {}", 3));
/// assert_eq!(trace.lines(), ["       0.000 n1 elected in term 3"]);
/// let same = Trace::new();
/// same.named("n1").note("elected in term 3");
/// assert_eq!(same.hash(), trace.hash());
/// ```
#[derive(Clone)]
pub struct Trace {
    name: Arc<str>,
    /// Locked for one note: they are in the order in which they came.
    noted: Arc<Mutex<Noted>>,
}

struct Noted {
    hasher: DefaultHasher,
    notes: u64,
    clock: Clock,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// Nothing has happened.
    pub fn new() -> Self {
        let noted = Noted {
            // Of std, since it is fast also where tests are not optimised; its keys are fixed.
            hasher: DefaultHasher::new(),
            notes: 0,
            clock: Clock::default(),
            lines: None,
        };
        Self { name: "".into(), noted: Arc::new(Mutex::new(noted)) }
    }

    /// The same trace, which marks with `name` what is noted through it.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { name: name.into(), noted: Arc::clone(&self.noted) }
    }

    /// Keeps from now on every line, to be read by [`lines`](Self::lines).
    pub fn keep_lines(&self) {
        self.lock().lines.get_or_insert_default();
    }

    /// Notes what happens now. The time is that of the tokio runtime around, in milliseconds since
    /// the first note; outside a runtime it stands still.
    pub fn note(&self, what: impl fmt::Display) {
        let mut noted = self.lock();
        let noted = &mut *noted;
        let ms = noted.clock.now().as_secs_f64() * 1000.0;
        noted.notes += 1;
        let space = if self.name.is_empty() { "" } else { " " };
        let line = format_args!("{ms:>12.3} {}{space}{what}", self.name);
        let hashed = writeln!(Hashed(&mut noted.hasher), "{line}");
        hashed.expect("a hasher takes everything");
        if let Some(lines) = &mut noted.lines {
            lines.push(line.to_string());
        }
    }

    /// A hash of everything that was noted. To be compared within one build: another one may hash
    /// in another way.
    pub fn hash(&self) -> u64 {
        self.lock().hasher.finish()
    }

    /// How much was noted.
    pub fn notes(&self) -> u64 {
        self.lock().notes
    }

    /// What was noted since [`keep_lines`](Self::keep_lines), line by line.
    pub fn lines(&self) -> Vec<String> {
        self.lock().lines.clone().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (notes, hash) = (self.notes(), self.hash());
        f.debug_struct("Trace").field("notes", &notes).field("hash", &hash).finish_non_exhaustive()
    }
}

/// The time since the first note. Each runtime has a clock of its own: in the next one it goes on
/// from where it stood, since what lies between follows from no seed.
#[derive(Default)]
struct Clock {
    start: Option<(runtime::Id, Instant)>,
    before: Duration,
    now: Duration,
}

impl Clock {
    fn now(&mut self) -> Duration {
        if let Ok(runtime) = Handle::try_current() {
            let (id, now) = (runtime.id(), Instant::now());
            let start = match self.start {
                Some((of, start)) if of == id => start,
                _ => {
                    self.before = self.now;
                    self.start = Some((id, now));
                    now
                }
            };
            self.now = self.before + now.saturating_duration_since(start);
        }
        self.now
    }
}

struct Hashed<'a>(&'a mut DefaultHasher);

impl fmt::Write for Hashed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
