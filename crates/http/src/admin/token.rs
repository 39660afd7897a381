use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

/// As short as a token may be.
const TOKEN_BYTES_MIN: usize = 16;

/// How many random bytes a token that is made has.
const RANDOM_BYTES: usize = 32;

/// What an operator shows to a node. Only its hash is kept.
#[derive(Clone)]
pub struct AdminToken([u8; 32]);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminTokenError {
    /// It could be guessed.
    #[error("the token of operators has {0} bytes, and must have {TOKEN_BYTES_MIN} at least")]
    TooShort(usize),
    /// The file that holds it cannot be used.
    #[error("the file {path} for the token of operators: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
}

impl AdminToken {
    /// The token that reads `token`, white space around it aside.
    ///
    /// # Errors
    /// When it is shorter than 16 bytes.
    pub fn new(token: &str) -> Result<Self, AdminTokenError> {
        let token = token.trim();
        match token.len() {
            short @ 0..TOKEN_BYTES_MIN => Err(AdminTokenError::TooShort(short)),
            _ => Ok(Self(Sha256::digest(token).into())),
        }
    }

    /// The token in the file at `path`, which is made, with a random one in it, if it is not there.
    /// Whoever may read the file is an operator; one that is made is for the user alone that runs
    /// the node.
    ///
    /// # Errors
    /// When the file cannot be read or made, or holds less than 16 bytes.
    pub fn kept_in(path: impl AsRef<Path>) -> Result<Self, AdminTokenError> {
        let path = path.as_ref();
        let failed = |source| AdminTokenError::File { path: path.to_owned(), source };
        match std::fs::read_to_string(path) {
            Ok(token) => Self::new(&token),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = make(path).map_err(failed)?;
                Self::new(&token)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Lets whoever shows it through.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match given.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(given) if self.is(given) => Ok(()),
            Some(_) => Err("that is not the token of this node"),
            None => {
                Err("this is for operators: send the node's token as `Authorization: Bearer …`")
            }
        }
    }

    /// True if `given` is this token. What it takes to say so tells nothing of it: hashes are
    /// compared, and nobody can choose a hash.
    fn is(&self, given: &str) -> bool {
        <[u8; 32]>::from(Sha256::digest(given)) == self.0
    }
}

/// Writes a new token where nothing is yet; the file is whole or not there.
fn make(path: &Path) -> io::Result<String> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let unfinished = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    Ok(token)
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}
