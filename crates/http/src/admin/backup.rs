use std::path::Path;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use catga_core::{Fault, FaultCode};
use catga_runtime::{Backup, BackupError};
use serde::Serialize;
use utoipa::ToSchema;

use super::Desk;
use crate::document::BuiltIn;
use crate::observer::trace_of;
use crate::operation::named;
use crate::problem::Problem;

/// What OpenAPI says of it.
pub(super) const OPERATION: BuiltIn = BuiltIn {
    method: Method::POST,
    path: "/cluster/backup",
    name: "MakeBackup",
    summary: "Makes a backup, where the node was told to",
    for_operators: true,
    param: None,
    status: "201",
    answer: "It is made",
    reply: Some(named::<Made>),
};

/// A backup that was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BackupMade)]
#[serde(rename_all = "camelCase")]
struct Made {
    /// Which of those in its directory.
    number: u64,
    /// How far it goes.
    position: String,
    /// When it was begun.
    at: String,
    /// The id of the cluster; empty for a process of its own.
    cluster: String,
    /// The node that made it.
    node: String,
    /// How many pieces it consists of.
    pieces: u64,
    /// How many bytes they have.
    bytes: u64,
    /// How many pieces were copied.
    new_pieces: u64,
    /// How many bytes were copied.
    new_bytes: u64,
}

/// Makes a backup, and answers when it is made.
pub(super) async fn back_up(State(desk): State<Desk>, request: Request) -> Response {
    let trace = trace_of(&request).unwrap_or_else(|| desk.observer.new_trace());
    let Some(backups) = desk.backups.clone() else {
        let detail = "this node was given no directory for backups: set BACKUP_DIR, or name one \
                      with `Server::backups`";
        let code = FaultCode::InvalidMessage.as_str();
        return Problem::new(StatusCode::NOT_FOUND, code, detail, trace).into_response();
    };
    match desk.node.backup(backups.clone()).await {
        Ok(backup) => (StatusCode::CREATED, Json(Made::of(backup))).into_response(),
        Err(error) => problem(error, backups.dir(), trace).into_response(),
    }
}

impl Made {
    fn of(backup: Backup) -> Self {
        Self {
            number: backup.number,
            position: backup.position.to_string(),
            at: backup.at.to_string(),
            cluster: backup.cluster,
            node: backup.node.to_string(),
            pieces: backup.pieces,
            bytes: backup.bytes,
            new_pieces: backup.new_pieces,
            new_bytes: backup.new_bytes,
        }
    }
}

/// Why there is no backup in `dir`.
fn problem(error: BackupError, dir: &Path, trace: u128) -> Problem {
    let dir = dir.display();
    let (code, advice) = match &error {
        // Asked again, it begins anew, and nothing is done twice.
        BackupError::Journal(fault) => return Problem::fault(fault, true, trace),
        BackupError::File(error) if error.is_full() => {
            (FaultCode::StorageFull, "make room for it, and ask again")
        }
        BackupError::File(_) => {
            (FaultCode::BackupFailed, "see that the node may read and write there, and ask again")
        }
        // It is in use, or is used for something else; or there is nothing to back up.
        _ => {
            let code = FaultCode::InvalidMessage.as_str();
            return Problem::new(StatusCode::CONFLICT, code, &error.to_string(), trace);
        }
    };
    // Whoever asks is an operator, and may know what the machine said.
    let told = format!(
        "no backup was made in {dir}, which BACKUP_DIR or `Server::backups` names: {error}; {advice}"
    );
    Problem::fault(&Fault::new(code, told), true, trace)
}
