//! Roots that are unpacked before they are used.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::decompress::decompressed;
use super::oci::OciImage;
use super::tree::{Kind, Tree};
use crate::host::own_namespace::OwnNamespace;
use crate::host::{cache_dir, file_sums, sha256};

/// The directory of unpacked roots, and of disk images made from roots, in the user's cache.
pub(super) const CACHE: &str = "roots";

/// Part of the name of unpacked roots: another one if they are unpacked otherwise.
const FORMAT: &str = "1";

/// Removes what was made from the roots of machines and containers in the user's cache,
/// `$XDG_CACHE_HOME/vmwright/roots`, but for what a running process uses. Templates on these
/// roots are made again when they are next used.
///
/// # Errors
/// A file can't be removed, or the user has no home directory.
pub fn clear_roots() -> io::Result<()> {
    cache_dir::clear(CACHE)
}

/// A root in a file or in several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RootArchive {
    /// A tar archive.
    Tar(PathBuf),
    /// A container image, in an OCI layout.
    Oci(PathBuf),
}

impl RootArchive {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Tar(path) | Self::Oci(path) => path,
        }
    }

    /// Finds its files in the user's cache, with the owners and modes of the archive, or unpacks
    /// them there, as root. Other users can't reach them, and the files are not to be changed.
    pub(crate) fn unpacked(&self) -> io::Result<PathBuf> {
        let mut sum = Sha256::new_with_prefix(FORMAT);
        // Its owners are others in another user namespace.
        sum.update(OwnNamespace::read()?.maps());
        self.hash(&mut sum)?;
        let name = format!("{}.tree", sha256::hex(&sum.finalize()));
        let dir = cache_dir::find_or_make(CACHE, &name, |work| {
            tracing::info!("unpacking the root (once)");
            let private = work.join("private");
            DirBuilder::new().mode(0o700).create(&private)?;
            let root = private.join("root");
            fs::create_dir(&root)?;
            let mut tree = Tree::new(&root)?;
            self.unpack(&mut tree)?;
            tree.set_attributes(&root)?;
            rustix::fs::syncfs(File::open(&root)?)?;
            Ok(private)
        })?;
        Ok(dir.join("root"))
    }

    /// Hashes what changes if the files in it do.
    pub(super) fn hash(&self, sum: &mut Sha256) -> io::Result<()> {
        match self {
            Self::Tar(archive) => sum.update(file_sums::sum(archive)?),
            Self::Oci(layout) => sum.update(OciImage::open(layout)?.digest),
        }
        Ok(())
    }

    pub(super) fn unpack(&self, tree: &mut Tree) -> io::Result<()> {
        match self {
            Self::Tar(archive) => tree.unpack(decompressed(File::open(archive)?)?, Kind::Root),
            Self::Oci(layout) => OciImage::open(layout)?.unpack(tree),
        }
    }
}
