//! Saved states that were moved to another directory, such as that of another checkout.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{FORMAT, FileStamp, Manifest, SavedState, SavedVm};
use crate::host::qemu_img::{self, qemu_img};
use crate::host::relative_path::{relative, resolve};

/// A cache directory that was moved, together with the images around it.
struct Move {
    from: PathBuf,
    to: PathBuf,
}

impl Move {
    /// Where a file is now.
    ///
    /// # Errors
    /// It is not there.
    fn path(&self, old: &Path) -> io::Result<PathBuf> {
        let new = resolve(&relative(old, &self.from), &self.to);
        if new.exists() {
            return Ok(new);
        }
        let reason = format!("{} is not at {}", old.display(), new.display());
        Err(io::Error::new(io::ErrorKind::NotFound, reason))
    }
}

impl SavedState {
    /// Makes the state in `dir` usable if it has this key and was made elsewhere: files refer to
    /// each other by their paths. The key says that the files that it was made from are at the
    /// same places, as seen from here.
    ///
    /// The caller must be the only one who does this. States that share files with this one by
    /// hard links are not changed.
    ///
    /// # Errors
    /// Why it can't be used.
    ///
    /// # Cancellation
    /// The state can't be used any more.
    pub(crate) async fn adapt(dir: &Path, key: &str) -> Result<(), String> {
        let manifest = Manifest::read(dir).map_err(|error| error.to_string())?;
        if manifest.dir == dir || manifest.format != FORMAT || manifest.key != key {
            return Ok(());
        }
        manifest.check_files(dir)?;
        let old = manifest.dir.display().to_string();
        let adapted = manifest.adapted(dir).await;
        adapted.map_err(|error| format!("it was made at {old}: {error}"))
    }
}

impl Manifest {
    /// Adapts the files, and writes itself anew.
    async fn adapted(mut self, dir: &Path) -> io::Result<()> {
        let cache = |dir: &Path| dir.parent().unwrap_or(dir).to_owned();
        let moved = Move {
            from: cache(&self.dir),
            to: cache(dir),
        };
        for name in self.vm.iter().flat_map(SavedVm::disk_files) {
            move_backing_file(&dir.join(name), &moved).await?;
        }
        if let Some(parent) = &mut self.parent {
            parent.dir = moved.path(&parent.dir)?;
        }
        for stamp in &mut self.files {
            *stamp = FileStamp::of(dir, &stamp.name)?;
        }
        self.dir = dir.to_owned();
        self.write()
    }
}

/// Changes the path of an image's backing file in a copy, which then replaces the image.
async fn move_backing_file(image: &Path, moved: &Move) -> io::Result<()> {
    let info = qemu_img::info(image, "qcow2").await?;
    let text = |name: &str| info[name].as_str();
    let (Some(backing), Some(format)) = (text("backing-filename"), text("backing-filename-format"))
    else {
        return Ok(());
    };
    let backing = moved.path(Path::new(backing))?;
    let copy = image.with_extension("new");
    tokio::fs::copy(image, &copy).await?;
    let rebase = ["rebase", "-u", "-f", "qcow2", "-F", format, "-b"].map(OsStr::new);
    let files = [backing.as_os_str(), copy.as_os_str()];
    qemu_img(rebase.into_iter().chain(files)).await?;
    fs::rename(&copy, image)
}
