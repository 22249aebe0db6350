//! The start script of an image, `run-NAME-vm`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Result;

/// The script, with `@…@` where images differ.
pub(super) const TEMPLATE: &str = include_str!("../../images/common/run-vm");

/// Writes the start script of the image `name` into `dir`. `append`: what the
/// image adds to the kernel's command line.
pub(super) fn write(dir: &Path, name: &str, memory: &str, append: &str) -> Result<()> {
    let path = dir.join(format!("run-{name}-vm"));
    fs::write(&path, fill(name, memory, append))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn fill(name: &str, memory: &str, append: &str) -> String {
    // The last console is /dev/console. A panic ends the machine at once.
    let append = format!("console=tty0 console=ttyS0 panic=-1 {append}");
    TEMPLATE
        .replace("@NAME@", name)
        .replace("@MEMORY@", memory)
        .replace("@APPEND@", append.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_fill_in() {
        let script = fill("minimal", "256M", "quiet");
        assert!(
            !script.contains('@') || script.contains("\"$@\""),
            "{script}"
        );
        assert!(script.contains("-append \"console=tty0 console=ttyS0 panic=-1 quiet\""));
        assert!(script.contains("./minimal.qcow2"));
    }
}
