//! Making a template.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::cache::{self, CacheEntry, StagingDir};
use super::key::key;
use super::step::key_of_steps;
use super::{Recipe, Template};
use crate::error::{Error, ErrorKind, Result};
use crate::host::blocking::blocking_async;
use crate::host::sparse;
use crate::host::tmp_dir::TmpDir;
use crate::host::vlan::Vlan;
use crate::instance::boot_source::{BootSource, RamFile};
use crate::instance::errors::{not_savable, template_error};
use crate::instance::saved_state::{self, SavedState, SavedVm};
use crate::machine::{Builder, Machine};

const READING: &str = "reading what a template is made from";

/// Opens the template, or makes it, on a thread for blocking work: a machine that is dropped
/// waits for its QEMU to exit, and its files are removed.
pub(super) async fn build(recipe: Recipe) -> Result<Template> {
    blocking_async(Box::pin(build_here(recipe))).await
}

async fn build_here(mut recipe: Recipe) -> Result<Template> {
    if let Some(parent) = recipe.parent.take() {
        recipe.parent = Some(intact(parent).await?);
    }
    let name = recipe.start.machine_name();
    let name = name.unwrap_or_else(|| "machine".to_owned());
    let fails = |doing: &'static str| {
        let name = name.clone();
        move |error: io::Error| failure(&name, doing, error)
    };
    if let Some(reason) = recipe.start.unsupported_reason() {
        let kind = ErrorKind::Template {
            doing: "making a template".to_owned(),
            source: reason.into(),
            misuse: true,
        };
        return Err(Error::new(&name, kind));
    }
    let steps = key_of_steps(&recipe.steps).map_err(fails(READING))?;
    let cache = cache::dir(&recipe.cache_dir);
    let cache = cache.map_err(fails("making the templates' directory"))?;
    let key = key(&recipe, &steps, &cache).await;
    let entry = CacheEntry::new(cache, &name, key);
    let (recipe, home) = (Arc::new(recipe), entry.clone());
    let template = |saved| Template {
        recipe: Arc::clone(&recipe),
        entry: home,
        saved,
        host_name: None,
        allow_reboot: false,
        prefetch: None,
    };
    if let Ok(Some(saved)) = entry.open() {
        return Ok(template(saved));
    }
    let _lock = entry.lock().await.map_err(fails("locking a template"))?;
    // Another process may have made it in the meantime.
    match entry.open_moved().await {
        Ok(Some(saved)) => return Ok(template(saved)),
        Ok(None) => {}
        Err(reason) => tracing::warn!(machine = name, "its template is made again: {reason}"),
    }

    let staging = entry.staging_dir().map_err(fails("making a template"))?;
    let made = match make_unchanged(&recipe, staging.path(), &steps, &name).await {
        Ok(vm) => Ok(vm),
        Err(error) => match error.kind() {
            ErrorKind::NotSavable { reason } => Err(reason.clone()),
            _ => return Err(error),
        },
    };
    let parent = recipe.parent.as_ref().map(|parent| &parent.saved);
    let kept = publish(&entry, staging, parent, made).map_err(fails("keeping a template"))?;
    Ok(template(kept))
}

/// Makes a template, unless a file that its steps copy changes meanwhile.
async fn make_unchanged(recipe: &Recipe, dir: &Path, steps: &str, name: &str) -> Result<SavedVm> {
    let made = make(recipe, dir).await;
    let reread = key_of_steps(&recipe.steps);
    if reread.map_err(|error| failure(name, READING, error))? != steps {
        let changed = "a file that it copies has changed meanwhile; try again";
        return Err(failure(name, "making a template", changed));
    }
    made
}

/// The template that another one extends, made again if it was damaged.
async fn intact(parent: Template) -> Result<Template> {
    if parent.unsupported_reason().is_some() {
        return Ok(parent);
    }
    match parent.current() {
        Ok(saved) => Ok(Template { saved, ..parent }),
        Err(_) => Box::pin(build_here(Recipe::clone(&parent.recipe))).await,
    }
}

/// Publishes what was made, or the reason why it can't be made.
fn publish(
    entry: &CacheEntry,
    staging: StagingDir,
    parent: Option<&SavedState>,
    made: std::result::Result<SavedVm, String>,
) -> io::Result<SavedState> {
    if made.is_err() {
        // Its RAM is not needed.
        let _ = fs::remove_file(saved_state::ram(staging.path()));
    }
    SavedState::finalize(staging.path(), entry.key(), parent, made)?;
    let saved = SavedState::open(staging.path(), entry.key()).map_err(io::Error::other)?;
    entry.publish(staging)?;
    Ok(saved)
}

fn failure(name: &str, doing: &str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::new(name, template_error(doing, source))
}

/// Boots or clones the machine, prepares it, and saves it to `dir`.
async fn make(recipe: &Recipe, dir: &Path) -> Result<SavedVm> {
    let (vlans, _sockets) = networks(&recipe.vlans).await?;
    let builder = || {
        let builder = Machine::builder(recipe.start.clone());
        let builder = builder.shell(recipe.has_shell).tmp_dir(dir);
        vlans.iter().fold(builder, Builder::vlan)
    };
    let ram = saved_state::ram(dir);
    let vm = match &recipe.parent {
        Some(parent) => clone_into(parent, builder(), ram).await?,
        None => boot_into(&builder, ram).await?,
    };
    if vm.has_shell() {
        vm.connect().await?;
    }
    for step in &recipe.steps {
        step.apply(&vm).await?;
    }
    let saved = vm.save_to(dir).await?;
    // Its directories are in that of the template.
    let tmp = [Some(vm.state_dir()), vm.shared_dir().parent()].map(|dir| dir.map(Path::to_owned));
    drop(vm);
    if let Err(error) = tmp.iter().flatten().try_for_each(|dir| cache::remove(dir)) {
        tracing::warn!("can't remove a template's temporary files: {error}");
    }
    Ok(saved)
}

/// Networks on which the machine is alone, and the directory of their sockets, whose paths
/// must be short.
async fn networks(numbers: &[u32]) -> Result<(Vec<Vlan>, TmpDir)> {
    let dir = TmpDir::new();
    let dir = dir.map_err(|error| failure("template", "making a directory for networks", error))?;
    let mut vlans = Vec::new();
    for number in numbers {
        vlans.push(Vlan::start(*number, dir.path()).await?);
    }
    Ok((vlans, dir))
}

/// Boots a machine whose RAM is in the file `ram`.
async fn boot_into(builder: &impl Fn() -> Builder, ram: PathBuf) -> Result<Machine> {
    let size = try_to_save(builder()).await?;
    let source = BootSource::BootInto(RamFile {
        path: ram.clone(),
        size,
    });
    let vm = builder().boot_source(source).build()?;
    reserve(&ram, size).map_err(|error| {
        let doing = format!("reserving {} MiB for a template's RAM", size >> 20);
        vm.error(template_error(&doing, error))
    })?;
    match vm.start().await {
        Ok(()) => Ok(vm),
        Err(error) => Err(explain(&vm, error)),
    }
}

/// QEMU may refuse to have the RAM in a file.
fn explain(vm: &Machine, error: Error) -> Error {
    match error.kind() {
        // A host may have enough memory another time.
        ErrorKind::Exited { status, stderr, .. }
            if status.code().is_some()
                && !stderr.is_empty()
                && !stderr.iter().any(|line| is_shortage(line)) =>
        {
            vm.error(not_savable(format!("QEMU printed: {}", stderr.join("; "))))
        }
        _ => error,
    }
}

fn is_shortage(line: &str) -> bool {
    ["Cannot allocate memory", "No space left"]
        .iter()
        .any(|shortage| line.contains(shortage))
}

/// A clone of `parent` whose RAM is a copy in the file `ram`.
async fn clone_into(parent: &Template, builder: Builder, ram: PathBuf) -> Result<Machine> {
    if let Some(reason) = parent.unsupported_reason() {
        let vm = builder.build()?;
        return Err(vm.error(not_savable(format!(
            "the template that it extends can't be saved: {reason}"
        ))));
    }
    let from = parent.saved.ram();
    let source = BootSource::SavedInto(parent.saved.clone(), ram.clone());
    let vm = builder.boot_source(source).build()?;
    copy_ram(&from, &ram)
        .map_err(|error| vm.error(template_error("copying the RAM of a template", error)))?;
    let Err(error) = parent.resume(&vm, &parent.saved).await else {
        return Ok(vm);
    };
    parent.saved.failed(&error);
    Err(match parent.current() {
        Ok(_) => error,
        Err(reason) => vm.error(not_savable(format!(
            "the template that it extends can't be saved: {reason}"
        ))),
    })
}

/// Saves a machine whose guest does not run, to know before it boots whether that is possible.
/// Returns the size of its RAM in bytes.
async fn try_to_save(builder: Builder) -> Result<u64> {
    let vm = builder.boot_source(BootSource::Paused).build()?;
    vm.start().await?;
    vm.try_to_save().await
}

/// Reserves the disk space for a guest's RAM: without it, QEMU would be killed when the
/// guest writes to the RAM.
fn reserve(file: &Path, size: u64) -> io::Result<File> {
    let file = File::create_new(file)?;
    match fallocate(&file, FallocateFlags::empty(), 0, size) {
        // Not every file system supports it.
        Err(Errno::OPNOTSUPP) => file.set_len(size)?,
        reserved => reserved?,
    }
    Ok(file)
}

/// Copies a RAM without writing its holes.
fn copy_ram(source: &Path, target: &Path) -> io::Result<()> {
    let source = File::open(source)?;
    let size = source.metadata()?.len();
    sparse::copy(&source, &reserve(target, size)?, size, || Ok(()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};

    use super::*;

    #[test]
    fn a_copy_reserves_space_for_its_holes() {
        let dir = tempfile::tempdir().unwrap();
        let [source, target] = ["source", "target"].map(|name| dir.path().join(name));
        let file = File::create(&source).unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(b"here", 20 << 20).unwrap();
        assert!(fs::metadata(&source).unwrap().blocks() < 1024);
        copy_ram(&source, &target).unwrap();
        assert_eq!(fs::read(&source).unwrap(), fs::read(&target).unwrap());
        assert!(fs::metadata(&target).unwrap().blocks() * 512 >= 64 << 20);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let error = reserve(&dir.path().join("ram"), 1 << 60).unwrap_err();
        assert!(
            matches!(
                error.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::FileTooLarge
                    | io::ErrorKind::InvalidInput
            ),
            "{error}"
        );
    }
}
