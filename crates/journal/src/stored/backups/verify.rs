use std::collections::BTreeMap;
use std::path::PathBuf;

use catga_engine::{Engine, Limits};
use catga_host::Open;

use super::kept::Kept;
use super::record::Record;
use super::store::{Store, is_fixed, number};
use crate::FileReport;
use crate::amount::amount;
use crate::segment::SegmentError;
use crate::stored::manifest::Piece;
use crate::stored::part::read_all;

/// Which backups have a piece, and what it is to them.
type Claims = BTreeMap<Kept, Vec<(u64, Piece)>>;

/// Looks at every byte of every backup; each file is in the answer once.
pub(super) fn verify(store: &Store) -> Vec<FileReport> {
    let mut reports = Vec::new();
    let mut claims = Claims::new();
    let names = store.list(&store.dir).unwrap_or_default();
    let mut records = Vec::new();
    for name in names.iter().filter(|name| !is_fixed(name)) {
        let path = store.dir.join(name);
        let Some(number) = number(name) else {
            reports.push(of_no_use(path));
            continue;
        };
        match store.read(number) {
            Ok(record) => records.push((path, record)),
            Err(error) => reports.push(FileReport::new(path, Err(error))),
        }
    }
    for (_, record) in &records {
        for (piece, kept) in record.pieces() {
            claims.entry(kept).or_default().push((record.number, piece));
        }
    }
    let pieces = pieces(store, &claims);
    for (path, record) in records {
        let is_whole = |kept: &Kept| {
            let path = store.piece_path(kept);
            pieces.iter().any(|report| report.path == path && report.found.is_ok())
        };
        // What is wrong with a piece is said of that.
        let found = match record.kept.last().is_some_and(is_whole) {
            true => engine(store, &record).map(drop),
            false => Ok(()),
        };
        reports.push(FileReport::new(path, found.map(|()| described(&record))));
    }
    reports.extend(pieces);
    reports
}

/// What is wrong with the pieces of one backup.
pub(super) fn faults(store: &Store, record: &Record) -> Vec<FileReport> {
    let pieces = record.pieces();
    let checked = pieces.iter().map(|(piece, kept)| (kept, store.check(piece, kept)));
    let wrong = checked.filter_map(|(kept, checked)| Some((kept, checked.err()?)));
    let report = |(kept, error): (&Kept, SegmentError)| {
        FileReport::new(store.piece_path(kept), Err(missing_or(error)))
    };
    wrong.map(report).collect()
}

/// The engine of a backup, whose pieces are whole: its bytes, if it can be read.
pub(super) fn engine(store: &Store, record: &Record) -> Result<bytes::Bytes, SegmentError> {
    let path = record.kept.last().map_or_else(PathBuf::new, |kept| store.piece_path(kept));
    let file = store.files.open(&path, Open::Read);
    let file = file.map_err(|error| SegmentError::io(&path, error))?;
    let engine = read_all(&*file, &path, record.manifest.engine.length)?;
    let restored = Engine::restore(&engine, Limits::default());
    match restored.map(|engine| engine.offset() == record.manifest.offset()) {
        Ok(true) => Ok(engine),
        Ok(false) => {
            let what = "it counted more or less than the history has";
            Err(SegmentError::Foreign { path, what })
        }
        Err(_) => Err(SegmentError::Foreign { path, what: "this build cannot read the engine" }),
    }
}

fn pieces(store: &Store, claims: &Claims) -> Vec<FileReport> {
    let mut reports = Vec::new();
    for (kept, claims) in claims {
        let mut checked = Ok(());
        let mut looked_at: Vec<&Piece> = Vec::new();
        for (_, piece) in claims {
            // Backups that follow each other say the same of it, and it may be large.
            if checked.is_ok() && !looked_at.contains(&piece) {
                checked = store.check(piece, kept);
                looked_at.push(piece);
            }
        }
        let numbers: Vec<_> = claims.iter().map(|(number, _)| number.to_string()).collect();
        let of = numbers.join(", ");
        let found = match checked {
            Ok(()) => Ok(format!("{}, of backup {of}", amount(kept.length, "byte"))),
            Err(error) => Err(format!("{}; backup {of} needs it", missing_or(error))),
        };
        reports.push(FileReport::new(store.piece_path(kept), found));
    }
    let dir = store.pieces_dir();
    match store.list(&dir) {
        Ok(names) => {
            let is_claimed =
                |name: &String| Kept::of_name(name).is_some_and(|kept| claims.contains_key(&kept));
            let others = names.into_iter().filter(|name| !is_claimed(name));
            reports.extend(others.map(|name| of_no_use(dir.join(name))));
        }
        Err(error) => reports.push(FileReport::new(dir, Err(error))),
    }
    reports
}

fn described(record: &Record) -> String {
    let backup = record.backup();
    let of = match &*backup.cluster {
        "" => format!("node `{}`", backup.node),
        cluster => format!("cluster `{cluster}`, by node `{}`", backup.node),
    };
    let (position, at, pieces) = (backup.position, backup.at, amount(backup.pieces, "piece"));
    format!("{of}, position {position}, {at}, {pieces} of {}", amount(backup.bytes, "byte"))
}

fn of_no_use(path: PathBuf) -> FileReport {
    FileReport::new(path, Ok::<_, String>("superfluous: no backup needs it".to_owned()))
}

fn missing_or(error: SegmentError) -> String {
    match &error {
        SegmentError::Io { path, .. } if error.is_not_found() => {
            format!("{} is missing", path.display())
        }
        _ => error.to_string(),
    }
}
