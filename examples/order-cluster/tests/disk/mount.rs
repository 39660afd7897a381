use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A file system in memory; gone when dropped.
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// Mounts one of `size` (`48m`) at the directory `at`, if this process may.
    pub(crate) fn new(at: &Path, size: &str) -> Result<Self, String> {
        let option = format!("size={size}");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(at).stdin(Stdio::null());
        match command.output() {
            Ok(Output { status, .. }) if status.success() => Ok(Self(at.to_owned())),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(format!("mount does not run: {error}")),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there keeps what is left of it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
