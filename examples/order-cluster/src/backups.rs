//! Backups from the command line: have one made, show them, and make a new node of one.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use catga::tools::{self, Which};
use comfy_table::{Table, presets};
use hyper::StatusCode;
use order_cluster::client::{Call, Client};
use serde::Deserialize;

use crate::operate::{refusal, resolve, token};

/// How long a backup may take. The first one copies everything.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// What a node says of a backup that it has made.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    number: u64,
    position: String,
    at: String,
    pieces: u64,
    bytes: u64,
    new_pieces: u64,
    new_bytes: u64,
}

/// Has the node at `at`, whose token is in or below `dir`, make a backup.
pub(crate) async fn back_up(at: &str, dir: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let mut client = Client::new(resolve(at).await?).patience(PATIENCE);
    let call = Call::post("/cluster/backup", &());
    let call = call.header("authorization", format!("Bearer {}", token(at, dir).await?));
    let answer = client.send(&call).await.map_err(|error| format!("{at}: {error}"))?;
    let made: Option<Made> = answer.json().filter(|_| answer.status == StatusCode::CREATED);
    let Some(made) = made else { return Err(refusal(&answer).into()) };
    let Made { number, position, at, pieces, bytes, new_pieces, new_bytes } = made;
    writeln!(
        io::stdout(),
        "backup {number} of {at}: all up to position {position}, {pieces} pieces of {bytes} bytes; \
         {new_pieces} pieces of {new_bytes} bytes were copied"
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Shows the backups in `dir`, and of each that is damaged why it cannot be read.
pub(crate) fn list(dir: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let mut table = Table::new();
    let head = ["backup", "made at", "cluster", "by", "position", "bytes", "copied"];
    table.load_style(presets::NOTHING).set_header(head);
    let mut ended = ExitCode::SUCCESS;
    for (number, backup) in tools::backups(dir)? {
        let number = number.to_string();
        match backup {
            Ok(backup) => table.add_row([
                number,
                backup.at.to_string(),
                backup.cluster,
                backup.node.to_string(),
                backup.position.to_string(),
                backup.bytes.to_string(),
                backup.new_bytes.to_string(),
            ]),
            Err(damage) => {
                ended = ExitCode::FAILURE;
                // In a column of its own, so that it makes none of the others wide.
                table.add_row([&*number, "DAMAGED", "", "", "", "", "", &damage.to_string()])
            }
        };
    }
    writeln!(io::stdout(), "{table}")?;
    Ok(ended)
}

/// Makes of a backup in `from` the directory `into` of a new node, and says how that is started.
pub(crate) async fn restore(
    from: &Path,
    which: Which,
    into: &Path,
    name: &str,
) -> Result<ExitCode, Box<dyn Error>> {
    let restored = tools::restore(from, which, into, name).await?;
    let backup = &restored.backup;
    let (quoted_name, quoted_into) = (quoted(name), quoted(&into.display().to_string()));
    writeln!(
        io::stdout(),
        "{} is a new node, as of backup {} of {}: its journal goes up to position {}.\n\
         Start it first, and then the others with empty directories:\n\n  \
         NODE_ID={quoted_name} DATA_DIR={quoted_into} order-cluster",
        into.display(),
        backup.number,
        backup.at,
        restored.position,
    )?;
    Ok(ExitCode::SUCCESS)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "/._-".contains(char);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_apart() {
        assert_eq!(quoted("data/node1"), "data/node1");
        assert_eq!(quoted("node 1"), "'node 1'");
        assert_eq!(quoted("ann's; node"), r"'ann'\''s; node'");
    }
}
