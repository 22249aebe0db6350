//! `cargo xtask template`: makes the templates that the tests clone.

// A link to the tests' file: they must look for the same templates.
mod suite;

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use machine::report::Terminal;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::flags::{Image, ImageFlags};
use crate::host;
use crate::image;
use crate::util::{Progress, vm_dir};

/// Makes the missing templates of images.
pub(crate) fn run(flags: &ImageFlags) -> Result<()> {
    let images = flags.images();
    host::ensure(&host::RUN, flags.yes)?;
    image::ensure(&images, flags.yes)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let progress = Arc::new(Progress::new("templates"));
    let steps = move || Steps(Arc::clone(&progress));
    let log = Terminal::new(steps).consoles(|| false);
    let subscriber = tracing_subscriber::registry().with(log.layer());
    // A kernel has no guest of its own, and a container is not cloned.
    let has_template = |it: &Image| !matches!(it, Image::Linux | Image::Container);
    // All at once: an emulated guest uses one core.
    let templates = images.into_iter().filter(has_template).map(async |image| {
        let name = image.name();
        let template = suite::ready(&vm_dir(), name).build().await;
        template.with_context(|| format!("can't make the template of {name}"))
    });
    let all = try_join_all(templates);
    tracing::subscriber::with_default(subscriber, || runtime.block_on(all))?;
    Ok(())
}

/// A writer that shows each line as a step of the progress.
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
