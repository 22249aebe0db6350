//! The templates that tests clone. `cargo xtask vm-test` includes this file and makes them
//! before it runs the tests: a template of another description would not be found by them.

use std::path::{Path, PathBuf};

use machine::{CloudImage, StartCommand, StartScript, Template, TemplateBuilder, Unit};

/// The image that is a disk with cloud-init, and how the names of the others begin.
const CLOUD: &str = "cloud";

/// The image that is a kernel.
const LINUX: &str = "linux";

/// The machine of the image `minimal` that shows a text console on its screen.
const CONSOLE: &str = "console";

/// The images of other guests.
const OTHER_INIT: &str = "other-init";
const INSTALLER: &str = "installer";

/// What cloud-init does in its guest: writes a file, and runs a command at the end.
const USER_DATA: &str = "#cloud-config\n\
    write_files: [{path: /etc/ours, content: data}]\n\
    runcmd: [[touch, /root/ran]]\n";

/// The file from which machines of a guest image start: its start script, a disk or a kernel.
pub(crate) fn start_file(images: &Path, image: &str) -> PathBuf {
    let file = match image {
        LINUX | INSTALLER => "vmlinuz".to_owned(),
        OTHER_INIT => "sysvinit.tar".to_owned(),
        _ if image.starts_with(CLOUD) => "cloud.qcow2".to_owned(),
        _ => format!("run-{image}-vm"),
    };
    let image = if image == CONSOLE { "minimal" } else { image };
    images.join(image).join(file)
}

/// How the machine of a guest image is started.
pub(crate) fn start(images: &Path, image: &str) -> StartCommand {
    let file = start_file(images, image);
    match image {
        CLOUD => CloudImage::new(file)
            .size_gib(3)
            .user_data(USER_DATA)
            .into(),
        _ => StartScript::new(file).into(),
    }
}

/// The cache directory of templates.
pub(crate) fn templates(images: &Path) -> PathBuf {
    images.join("templates")
}

/// A booted template of a guest image, in [`templates`].
pub(crate) fn booted(images: &Path, image: &str) -> TemplateBuilder {
    Template::builder(start(images, image)).cache_dir(templates(images))
}

/// Like [`booted`], but also waits for [`units`].
pub(crate) fn ready(images: &Path, image: &str) -> TemplateBuilder {
    let template = booted(images, image);
    match image {
        CLOUD => template.wait_for_cloud_init(),
        _ => units(image)
            .into_iter()
            .fold(template, TemplateBuilder::wait_for_unit),
    }
}

/// The units to wait for after a boot.
pub(crate) fn units(image: &str) -> Vec<Unit> {
    match image {
        "systemd" => vec!["multi-user.target".into()],
        "desktop" => vec![
            "graphical.target".into(),
            Unit::of_user("alice", "graphical-session.target"),
        ],
        _ => Vec::new(),
    }
}
