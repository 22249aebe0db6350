//! Making a template.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::cache::Place;
use super::key::key;
use super::{Recipe, Template};
use crate::error::{Error, ErrorKind, Result};
use crate::saved::{self, Contents, Origin, Ram, Saved};
use crate::{Builder, Machine, TmpDir, Vlan, sparse};

pub(super) async fn build(recipe: Recipe) -> Result<Template> {
    let name = recipe.start.machine_name();
    let name = name.unwrap_or_else(|| "machine".to_owned());
    let fails = |doing: &str, error: io::Error| {
        let kind = ErrorKind::Template {
            doing: doing.to_owned(),
            reason: error.to_string(),
        };
        Error::new(&name, kind)
    };
    let key = key(&recipe).await;
    let key = key.map_err(|error| fails("reading what a template is made from", error))?;
    let place = Place::new(&recipe.cache_dir, &name, key);
    let place = place.map_err(|error| fails("making the templates' directory", error))?;
    let (recipe, home) = (Arc::new(recipe), place.clone());
    let template = |saved| Template {
        recipe: Arc::clone(&recipe),
        place: home.clone(),
        saved,
        host_name: None,
        allow_reboot: false,
        ahead: None,
    };
    if let Some(saved) = place.open() {
        return Ok(template(saved));
    }
    let lock = place.lock().await;
    let _lock = lock.map_err(|error| fails("locking a template", error))?;
    // Somebody else may have made it meanwhile.
    if let Some(saved) = place.open() {
        return Ok(template(saved));
    }

    let workshop = place
        .workshop()
        .map_err(|error| fails("making a template", error))?;
    let made = match make(&recipe, workshop.path()).await {
        Ok(contents) => Ok(contents),
        Err(error) => match error.kind() {
            ErrorKind::NotSavable { reason } => Err(reason.clone()),
            _ => return Err(error),
        },
    };
    if made.is_err() {
        // Nobody needs its RAM.
        let _ = fs::remove_file(saved::ram(workshop.path()));
    }
    let parent = recipe.parent.as_ref().map(|parent| parent.saved.clone());
    let kept = tokio::task::spawn_blocking(move || {
        Saved::seal(workshop.path(), place.key(), parent.as_ref(), made)?;
        let saved = Saved::open(workshop.path(), place.key()).map_err(io::Error::other)?;
        place.keep(workshop)?;
        Ok(saved)
    });
    let kept = kept
        .await
        .unwrap_or_else(|gone| Err(io::Error::other(gone)));
    kept.map(template)
        .map_err(|error| fails("keeping a template", error))
}

/// Boots or clones the machine, prepares it, and saves it to `dir`.
async fn make(recipe: &Recipe, dir: &Path) -> Result<Contents> {
    let (vlans, _sockets) = networks(&recipe.vlans).await?;
    let builder = || {
        let builder = Machine::builder(recipe.start.clone()).tmp_dir(dir);
        vlans.iter().fold(builder, Builder::vlan)
    };
    let file = saved::ram(dir);
    let vm = if let Some(parent) = &recipe.parent {
        cloned(parent, builder(), file).await?
    } else {
        let size = ram_size(builder()).await?;
        let ram = Ram {
            file: file.clone(),
            size,
        };
        let vm = builder().origin(Origin::Kept(ram)).build()?;
        reserve(&file, size).map_err(|error| {
            let doing = format!("reserving {} MiB for a template's RAM", size >> 20);
            vm.template_error(&doing, error.to_string())
        })?;
        start_kept(&vm).await?;
        vm
    };
    vm.connect().await?;
    for step in &recipe.steps {
        step.apply(&vm).await?;
    }
    let contents = vm.save_to(dir).await?;
    // Its directories are in the template's.
    let tmp = [vm.state_dir().to_owned(), vm.shared_dir().to_owned()];
    drop(vm);
    for dir in tmp {
        let _ = fs::remove_dir_all(dir);
    }
    Ok(contents)
}

/// Networks on which the machine is alone, and the directory of their sockets, whose paths
/// are to be short.
async fn networks(numbers: &[u32]) -> Result<(Vec<Vlan>, TmpDir)> {
    let dir = TmpDir::new().map_err(|error| {
        let kind = ErrorKind::Template {
            doing: "making a directory for networks".to_owned(),
            reason: error.to_string(),
        };
        Error::new("template", kind)
    })?;
    let mut vlans = Vec::new();
    for number in numbers {
        vlans.push(Vlan::start(*number, dir.path()).await?);
    }
    Ok((vlans, dir))
}

/// Starts a machine whose RAM is a file. QEMU may not like that.
async fn start_kept(vm: &Machine) -> Result<()> {
    let Err(error) = vm.start().await else {
        return Ok(());
    };
    Err(match error.kind() {
        // What a host lacks, it may have another time.
        ErrorKind::Exited { status, stderr, .. }
            if status.code().is_some()
                && !stderr.is_empty()
                && !stderr.iter().any(|line| is_lack(line)) =>
        {
            vm.not_savable(format!("QEMU says: {}", stderr.join("; ")))
        }
        _ => error,
    })
}

fn is_lack(line: &str) -> bool {
    ["Cannot allocate memory", "No space left"]
        .iter()
        .any(|lack| line.contains(lack))
}

/// A clone of `parent` with a RAM of its own, in `file`.
async fn cloned(parent: &Template, builder: Builder, file: PathBuf) -> Result<Machine> {
    if let Some(reason) = parent.cannot() {
        let vm = builder.build()?;
        return Err(vm.not_savable(format!("its parent can't be: {reason}")));
    }
    let source = parent.saved.ram();
    let origin = Origin::Extended(parent.saved.clone(), file.clone());
    let vm = builder.origin(origin).build()?;
    let copied = tokio::task::spawn_blocking(move || copy_ram(&source, &file)).await;
    let copied = copied.unwrap_or_else(|gone| Err(io::Error::other(gone)));
    copied
        .map_err(|error| vm.template_error("copying the RAM of a template", error.to_string()))?;
    vm.start().await?;
    if let Some(contents) = parent.saved.contents() {
        vm.freshen(contents, None).await?;
    }
    Ok(vm)
}

/// Asks a QEMU whose guest does not run.
async fn ram_size(builder: Builder) -> Result<u64> {
    let vm = builder.origin(Origin::Paused).build()?;
    vm.start().await?;
    vm.ram_size().await
}

/// Takes the room on the disk that a guest's RAM needs: QEMU would be killed if it
/// were not there when the guest writes to it.
fn reserve(file: &Path, size: u64) -> io::Result<File> {
    let file = File::create_new(file)?;
    match fallocate(&file, FallocateFlags::empty(), 0, size) {
        // Not every file system can.
        Err(Errno::OPNOTSUPP) => file.set_len(size)?,
        reserved => reserved?,
    }
    Ok(file)
}

/// Copies a RAM, but does not write the holes in it.
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
    fn a_copy_has_the_room_for_its_holes() {
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
    fn a_disk_without_room_is_no_place_for_ram() {
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
