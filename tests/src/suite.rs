//! The templates that tests clone. `cargo xtask vm-test` makes them before it runs the tests,
//! by this very file: what is made otherwise is another template.

use std::path::{Path, PathBuf};

use machine::{StartScript, Template, TemplateBuilder, Unit};

/// The start script of a guest image.
pub(crate) fn start_script(images: &Path, image: &str) -> PathBuf {
    images.join(image).join(format!("run-{image}-vm"))
}

/// Where the suite's templates are kept.
pub(crate) fn templates(images: &Path) -> PathBuf {
    images.join("templates")
}

/// A template of a guest image, booted, and kept where the suite's are.
pub(crate) fn booted(images: &Path, image: &str) -> TemplateBuilder {
    let script = StartScript::new(start_script(images, image));
    Template::builder(script).cache_dir(templates(images))
}

/// The same, ready to be cloned.
pub(crate) fn ready(images: &Path, image: &str) -> TemplateBuilder {
    units(image)
        .into_iter()
        .fold(booted(images, image), TemplateBuilder::wait_for_unit)
}

/// What is active in a guest that is ready.
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
