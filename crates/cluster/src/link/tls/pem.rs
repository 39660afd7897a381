//! Files of PEM. Nothing of them is quoted: each may be a key by mistake.

use std::fmt;
use std::io;
use std::path::Path;

use catga_host::{Files, Open};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// How long a file may be: some hundred certificates.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the file at `path` holds, whatever that is. A short read, which may block.
///
/// # Errors
/// Which file cannot be read, and why.
pub fn read_pem(files: &dyn Files, path: &Path) -> Result<Vec<u8>, String> {
    content(files, path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

/// All certificates in `pem`, and one at least. `from` says in words where it is from.
///
/// # Errors
/// When there is none, or what should be one is not.
pub fn certificates_in(
    pem: &[u8],
    from: impl fmt::Display,
) -> Result<Vec<CertificateDer<'static>>, String> {
    match CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(format!("{from} holds no certificate as PEM")),
    }
}

fn content(files: &dyn Files, path: &Path) -> io::Result<Vec<u8>> {
    let file = files.open(path, Open::Read)?;
    let length = file.len()?;
    if length > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it has {length} bytes")));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}
