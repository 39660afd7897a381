use std::path::{Path, PathBuf};
use std::sync::Arc;

use catga_core::Fault;
use catga_host::{Files, Lock};
use catga_journal::segment::{FileKind, SegmentError, read_whole};
use catga_journal::{DumpedEffect, FileReport, dump_history, verify_history};

use super::{CHARTER, DataDir, DataDirError, IDENTITY, Identity, LOCK, holds_a_log, unfinished};
use crate::Charter;
use crate::storage::{read_entries, verify_log, verify_snapshots};

/// A data directory as it is looked at from outside: nothing in it is changed, and no node uses it
/// meanwhile.
#[derive(Debug)]
pub struct Inspection {
    files: Arc<dyn Files>,
    dir: PathBuf,
    identity: Result<Identity, SegmentError>,
    _lock: Option<Lock>,
}

impl DataDir {
    /// Looks at the directory `dir` from outside.
    ///
    /// # Errors
    /// When it is no data directory, or a node uses it.
    pub fn inspect(files: &Arc<dyn Files>, dir: &Path) -> Result<Inspection, DataDirError> {
        let unusable = |source| DataDirError::Unusable { dir: dir.to_owned(), source };
        let names = files.list(dir).map_err(unusable)?;
        let lock = match names.iter().any(|name| name == LOCK) {
            false => None,
            true => match files.lock(&dir.join(LOCK)) {
                Ok(lock) => Some(lock),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    return Err(DataDirError::InUse { dir: dir.to_owned() });
                }
                // Where nothing may be written, nobody else writes either.
                Err(_) => None,
            },
        };
        unfinished::refuse(&**files, dir)?;
        let identity = match Identity::read(&**files, &dir.join(IDENTITY)) {
            Ok(Some(identity)) => Ok(identity),
            Ok(None) => {
                let other = names.into_iter().find(|name| name != LOCK).unwrap_or_default();
                return Err(DataDirError::NoIdentity { dir: dir.to_owned(), other });
            }
            Err(error) => Err(error),
        };
        let (files, dir) = (Arc::clone(files), dir.to_owned());
        Ok(Inspection { files, dir, identity, _lock: lock })
    }
}

impl Inspection {
    /// Reads every byte, and says of each file what it holds or what is damaged.
    pub fn verify(&self) -> Vec<FileReport> {
        let files = &*self.files;
        let identity = self.identity.as_ref().map(|identity| {
            format!("node `{}`, incarnation {:x}", identity.name, identity.incarnation)
        });
        let mut reports = vec![FileReport::new(self.dir.join(IDENTITY), identity)];
        reports.extend(self.verify_charter());
        reports.extend(verify_log(files, &self.dir.join("log")));
        let snapshots = verify_snapshots(files, &self.dir.join("snapshots"));
        let has_snapshots = !snapshots.is_empty();
        reports.extend(snapshots);
        reports.extend(verify_history(&self.files, &self.dir.join("journal")));
        reports.extend(self.verify_whole(has_snapshots));
        reports.extend(self.verify_views());
        reports
    }

    /// What is gone altogether, so that no file tells of it.
    fn verify_whole(&self, has_snapshots: bool) -> Vec<FileReport> {
        let gone = |part: &str, what: &str| {
            FileReport::new(self.dir.join(part), Err::<String, _>(what.to_owned()))
        };
        let has_log = self.identity.as_ref().is_ok_and(|identity| identity.has_log);
        // A directory that cannot be listed is named with the rest.
        let lacks_log =
            has_log && !holds_a_log(&*self.files, &self.dir.join("log")).unwrap_or(true);
        let log = lacks_log.then(|| gone("log", "the log is gone"));
        let names = self.files.list(&self.dir.join("journal")).unwrap_or_default();
        let has_state = names.iter().any(|name| name.ends_with(".checkpoint"));
        let state = (has_snapshots && !has_state)
            .then(|| gone("journal", "all checkpoints are gone, which the snapshots stand for"));
        log.into_iter().chain(state).collect()
    }

    fn verify_charter(&self) -> Option<FileReport> {
        let path = self.dir.join(CHARTER);
        let found = Charter::read(&*self.files, &path).transpose()?;
        let found = found.map(|charter| {
            let names: Vec<_> = charter.members.keys().map(ToString::to_string).collect();
            let (cluster, life) = (&charter.cluster, charter.incarnation);
            format!("cluster `{cluster}` of {}, incarnation {life:x}", names.join(", "))
        });
        Some(FileReport::new(path, found))
    }

    fn verify_views(&self) -> Vec<FileReport> {
        let dir = self.dir.join("views");
        let report = |name: String| {
            let path = dir.join(name);
            let found = read_whole(&*self.files, &path, FileKind::View).map(|found| {
                let bytes = found.map_or(0, |(_, payload)| payload.len());
                format!("a projection of {bytes} bytes")
            });
            FileReport::new(path, found)
        };
        match self.files.list(&dir) {
            Ok(names) => names.into_iter().map(report).collect(),
            // A node makes it when it starts.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => vec![FileReport::new(dir, Err(error))],
        }
    }

    /// Gives `each` every effect that the journal counted, in order, until it says false.
    ///
    /// # Errors
    /// When something is damaged.
    pub fn effects(&self, each: impl FnMut(DumpedEffect) -> bool) -> Result<(), Fault> {
        let identity = self
            .identity
            .as_ref()
            .map_err(|error| Fault::new(catga_core::FaultCode::Unreadable, error.to_string()))?;
        let entries = read_entries(&*self.files, &self.dir.join("log")).map_err(Fault::from)?;
        let charter = Charter::read(&*self.files, &self.dir.join(CHARTER));
        let charter = charter
            .map_err(|error| Fault::new(catga_core::FaultCode::Unreadable, error.to_string()))?;
        let incarnation = charter.map_or(identity.incarnation, |charter| charter.incarnation);
        let (journal, entries) = (self.dir.join("journal"), entries.into_iter().map(Ok));
        dump_history(&self.files, &journal, incarnation, entries, each)
    }
}

#[cfg(test)]
mod tests {
    use catga_core::NodeName;
    use catga_host::Host;

    use super::*;

    #[test]
    fn what_is_gone_altogether_is_damage() {
        catga_testkit::run(1, async |host| {
            let (files, host) = (host.files(), host.clone() as Arc<dyn Host>);
            let at = Path::new("/data");
            let damaged = || {
                let reports = DataDir::inspect(&files, at).expect("a data directory").verify();
                let damaged = reports.into_iter().filter_map(|report| report.found.err());
                damaged.collect::<Vec<_>>()
            };
            let data = DataDir::open(&host, at, &NodeName::new("node1")).await.expect("it is made");
            data.release();
            assert_eq!(damaged(), [""; 0], "one that has had no log yet lacks none");
            data.note_log().await.expect("written");
            assert_eq!(damaged(), ["the log is gone"]);
            let again = DataDir::open(&host, at, &NodeName::new("node1")).await;
            assert!(matches!(again, Err(DataDirError::LogIsGone { .. })), "{again:?}");
        });
    }
}
