use std::path::Path;
use std::sync::Arc;

use catga_core::NodeName;
use catga_host::{Files, Host, Open};

use super::guarded::Guarded;
use super::{DataDir, DataDirError, IDENTITY, Identity, LOCK, RESTORING};

/// The directory of a new node that is being made of a backup. Until it is [complete](Self::complete)
/// nobody starts on it.
#[derive(Debug)]
pub(crate) struct Unfinished(DataDir);

/// # Errors
/// When a restore into the directory was interrupted, or nobody can tell whether one was.
pub(super) fn refuse(files: &dyn Files, dir: &Path) -> Result<(), DataDirError> {
    match files.open(&dir.join(RESTORING), Open::Read) {
        Ok(_) => Err(DataDirError::HalfRestored { dir: dir.to_owned() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(DataDirError::Unusable { dir: dir.to_owned(), source }),
    }
}

impl Unfinished {
    /// Takes the directory `dir`, which must be empty or missing, for a new node called `name`.
    ///
    /// # Errors
    /// See [`DataDirError`]. Nothing was changed then, unless the machine refuses.
    pub(crate) async fn begin(
        host: &dyn Host,
        dir: &Path,
        name: &NodeName,
    ) -> Result<Self, DataDirError> {
        let files = host.files();
        let unusable = |source| DataDirError::Unusable { dir: dir.to_owned(), source };
        match files.list(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(error)),
            Ok(names) => {
                if names.iter().any(|name| name == RESTORING) {
                    return Err(DataDirError::HalfRestored { dir: dir.to_owned() });
                }
                let found = names.into_iter().find(|name| name != "lost+found");
                if let Some(found) = found {
                    return Err(DataDirError::NotEmpty { dir: dir.to_owned(), found });
                }
            }
        }
        files.create_dir(dir).await.map_err(unusable)?;
        let marker = files.open(&dir.join(RESTORING), Open::Create).map_err(unusable)?;
        marker.sync().await.map_err(unusable)?;
        files.sync_dir(dir).await.map_err(unusable)?;
        let lock = files.lock(&dir.join(LOCK)).map_err(unusable)?;
        let files = Arc::new(Guarded::new(files, lock));
        let identity = Identity::mint(host, name);
        let data = DataDir { dir: dir.to_owned(), files, identity };
        data.make_parts().await?;
        Ok(Self(data))
    }

    /// What it is to be.
    pub(crate) fn data(&self) -> &DataDir {
        &self.0
    }

    /// Makes it a directory like any other; all else in it is durable.
    pub(crate) async fn complete(self) -> Result<Identity, DataDirError> {
        let DataDir { dir, files, identity } = self.0;
        identity.write(&*files, &dir.join(IDENTITY)).await?;
        let unusable = |source| DataDirError::Unusable { dir: dir.clone(), source };
        files.remove(&dir.join(RESTORING)).map_err(unusable)?;
        files.sync_dir(&dir).await.map_err(unusable)?;
        Ok(identity)
    }
}
