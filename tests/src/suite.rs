//! The templates that tests clone. `cargo xtask vm-test` includes this file and makes them
//! before it runs the tests: a template of another description would not be found by them.

use std::path::{Path, PathBuf};

use machine::{StartScript, Template, TemplateBuilder, Unit};

/// The start script of a guest image.
pub(crate) fn start_script(images: &Path, image: &str) -> PathBuf {
    images.join(image).join(format!("run-{image}-vm"))
}

/// The cache directory of templates.
pub(crate) fn templates(images: &Path) -> PathBuf {
    images.join("templates")
}

/// A booted template of a guest image, in [`templates`].
pub(crate) fn booted(images: &Path, image: &str) -> TemplateBuilder {
    let script = StartScript::new(start_script(images, image));
    Template::builder(script).cache_dir(templates(images))
}

/// Like [`booted`], but also waits for [`units`].
pub(crate) fn ready(images: &Path, image: &str) -> TemplateBuilder {
    units(image)
        .into_iter()
        .fold(booted(images, image), TemplateBuilder::wait_for_unit)
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
