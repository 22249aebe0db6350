//! `cargo xtask template`: the templates that tests clone, made before the tests are run.

// The tests', so that they find what is made here.
#[path = "../../tests/src/suite.rs"]
mod suite;

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use machine::report::Terminal;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::flags::ImageFlags;
use crate::host;
use crate::image;
use crate::util::{Progress, vm_dir};

/// Sees to it that the templates of images are there.
pub(crate) fn run(flags: &ImageFlags) -> Result<()> {
    let images = flags.images();
    host::ensure(&host::RUN, flags.yes)?;
    image::ensure(&images, flags.yes)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for image in images {
        let progress = Arc::new(Progress::new("template"));
        let steps = move || Steps(Arc::clone(&progress));
        let log = Terminal::new(steps).consoles(|| false);
        let subscriber = tracing_subscriber::registry().with(log.layer());
        let name = image.name();
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(suite::ready(&vm_dir(), name).build())
        })
        .with_context(|| format!("can't make the template of {name}"))?;
    }
    Ok(())
}

/// A log of which each line is a step of what is done.
struct Steps(Arc<Progress>);

impl Write for Steps {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        for line in String::from_utf8_lossy(lines).lines() {
            self.0.step(line);
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
