//! Making a template.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::cache::{self, Place, Workshop};
use super::key::{key, key_of_steps};
use super::{Recipe, Template};
use crate::error::{Error, ErrorKind, Result};
use crate::host::sparse;
use crate::instance::saved_state::{self, Contents, Origin, Ram, Saved};
use crate::{Builder, Machine, TmpDir, Vlan};

pub(super) async fn build(mut recipe: Recipe) -> Result<Template> {
    if let Some(parent) = recipe.parent.take() {
        recipe.parent = Some(whole(parent).await?);
    }
    let name = recipe.start.machine_name();
    let name = name.unwrap_or_else(|| "machine".to_owned());
    let fails = |doing: &'static str| {
        let name = name.clone();
        move |error: io::Error| failure(&name, doing, &error)
    };
    let reading = "reading what a template is made from";
    let steps = key_of_steps(&recipe.steps).map_err(fails(reading))?;
    let place = Place::new(&recipe.cache_dir, &name, key(&recipe, &steps).await);
    let place = place.map_err(fails("making the templates' directory"))?;
    let (recipe, home) = (Arc::new(recipe), place.clone());
    let template = |saved| Template {
        recipe: Arc::clone(&recipe),
        place: home,
        saved,
        host_name: None,
        allow_reboot: false,
        ahead: None,
    };
    if let Ok(Some(saved)) = place.open() {
        return Ok(template(saved));
    }
    let _lock = place.lock().await.map_err(fails("locking a template"))?;
    // Somebody else may have made it meanwhile.
    match place.open() {
        Ok(Some(saved)) => return Ok(template(saved)),
        Ok(None) => {}
        Err(reason) => tracing::warn!(machine = name, "its template is made anew: {reason}"),
    }

    let workshop = place.workshop().map_err(fails("making a template"))?;
    let made = make(&recipe, workshop.path()).await;
    if key_of_steps(&recipe.steps).map_err(fails(reading))? != steps {
        let changed = io::Error::other("a file that it copies has changed meanwhile; try again");
        return Err(fails("making a template")(changed));
    }
    let made = match made {
        Ok(contents) => Ok(contents),
        Err(error) => match error.kind() {
            ErrorKind::NotSavable { reason } => Err(reason.clone()),
            _ => return Err(error),
        },
    };
    let parent = recipe.parent.as_ref().map(|parent| parent.saved.clone());
    let kept = tokio::task::spawn_blocking(move || keep(&place, workshop, parent.as_ref(), made));
    let kept = kept.await;
    let kept = kept.unwrap_or_else(|gone| Err(io::Error::other(gone)));
    kept.map(template).map_err(fails("keeping a template"))
}

/// What a template begins as a clone of, made anew if it was damaged.
async fn whole(parent: Template) -> Result<Template> {
    if parent.cannot().is_some() {
        return Ok(parent);
    }
    match parent.current() {
        Ok(saved) => Ok(Template { saved, ..parent }),
        Err(_) => Box::pin(build(Recipe::clone(&parent.recipe))).await,
    }
}

/// Has what was made, or the reason why it can't be, found by others.
fn keep(
    place: &Place,
    workshop: Workshop,
    parent: Option<&Saved>,
    made: std::result::Result<Contents, String>,
) -> io::Result<Saved> {
    if made.is_err() {
        // Nobody needs its RAM.
        let _ = fs::remove_file(saved_state::ram(workshop.path()));
    }
    Saved::seal(workshop.path(), place.key(), parent, made)?;
    let saved = Saved::open(workshop.path(), place.key()).map_err(io::Error::other)?;
    place.keep(workshop)?;
    Ok(saved)
}

fn failure(name: &str, doing: &str, error: &io::Error) -> Error {
    let kind = ErrorKind::Template {
        doing: doing.to_owned(),
        reason: error.to_string(),
    };
    Error::new(name, kind)
}

/// Boots or clones the machine, prepares it, and saves it to `dir`.
async fn make(recipe: &Recipe, dir: &Path) -> Result<Contents> {
    let (vlans, _sockets) = networks(&recipe.vlans).await?;
    let builder = || {
        let builder = Machine::builder(recipe.start.clone()).tmp_dir(dir);
        vlans.iter().fold(builder, Builder::vlan)
    };
    let file = saved_state::ram(dir);
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
        if let Err(error) = cache::remove(&dir) {
            tracing::warn!("can't remove {}: {error}", dir.display());
        }
    }
    Ok(contents)
}

/// Networks on which the machine is alone, and the directory of their sockets, whose paths
/// are to be short.
async fn networks(numbers: &[u32]) -> Result<(Vec<Vlan>, TmpDir)> {
    let dir = TmpDir::new();
    let dir =
        dir.map_err(|error| failure("template", "making a directory for networks", &error))?;
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
    let Err(error) = parent.go_on(&vm, &parent.saved).await else {
        return Ok(vm);
    };
    parent.saved.failed(&error);
    Err(match parent.current() {
        Ok(_) => error,
        Err(reason) => vm.not_savable(format!("its parent can't be: {reason}")),
    })
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
