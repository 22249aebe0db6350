//! Start scripts of machines with devices that other processes run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::start_script;

/// A start script in `dir` of an image, with the shared directory on virtiofs, too, under the
/// same tag. It adds a line to the file `starts` beside it.
///
/// # Panics
/// If the image was not built, or the script can't be written.
pub fn virtiofs_script(image: &str, dir: &Path) -> PathBuf {
    let starts = dir.join("starts");
    let daemon = format!(
        "echo started >>'{}'
rm -f fs.sock
/usr/lib/qemu/virtiofsd --socket-path=fs.sock -o source=\"$SHARED_DIR\" >&2 &
while [ ! -S fs.sock ]; do sleep 0.1; done
",
        starts.display()
    );
    let share =
        "-chardev socket,id=fs,path=fs.sock -device vhost-user-fs-pci,chardev=fs,tag=shared";
    shared_memory_script(image, dir, &daemon, share)
}

/// A start script in `dir` of an image, whose RAM other processes can map. It runs `before`,
/// then QEMU with more arguments.
///
/// # Panics
/// If the image was not built, or the script can't be written.
pub fn shared_memory_script(image: &str, dir: &Path, before: &str, arguments: &str) -> PathBuf {
    let original = start_script(image);
    let text = fs::read_to_string(&original).expect("a start script");
    let mut lines = text.lines().map(str::trim);
    let memory = lines.find_map(|line| line.strip_prefix("-m ")?.split(' ').next());
    let memory = memory.expect("the size of the RAM");
    let text = format!(
        "#!/bin/sh
{before}exec '{}' \"$@\" \\
    -object memory-backend-memfd,id=shared-ram,size={memory},share=on \\
    -machine memory-backend=shared-ram {arguments}
",
        original.display(),
    );
    let script = dir.join(format!("run-{image}-vm"));
    fs::write(&script, text).expect("a written script");
    fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("an executable");
    script
}
