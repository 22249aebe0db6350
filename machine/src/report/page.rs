//! The page of a run.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::record::{Machine, Outcome, Record, Step};

const STYLE: &str = include_str!("page/page.css");

/// The page's program: functions that need each other, in one scope.
const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("page/run.js"),
    include_str!("page/list.js"),
    include_str!("page/tree.js"),
    include_str!("page/details.js"),
    include_str!("page/pictures.js"),
    include_str!("page/failure.js"),
    include_str!("page/console.js"),
    include_str!("page/timeline.js"),
    include_str!("page/page.js"),
);

/// The page. Nothing of a guest's is in it but in `data`.
#[derive(Template)]
#[template(path = "page.html", escape = "html")]
struct Page<'a> {
    title: &'a str,
    style: &'static str,
    script: &'static str,
    /// The only script that a browser is to run on the page.
    script_hash: String,
    data: String,
}

/// What the page's program gets.
#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    version: &'static str,
    outcome: Outcome,
    story: &'a str,
    /// Milliseconds since 1970.
    date: u128,
    took: u64,
    /// The number of the step that failed.
    failing: Option<usize>,
    left_out: usize,
    /// The directory beside the page, of the files that it names.
    files: String,
    machines: &'a [Machine],
    steps: &'a [Step],
    pictures: Vec<Option<String>>,
}

/// Writes the page in one go, and the files beside it.
pub(super) fn write(record: &mut Record, path: &Path) -> io::Result<()> {
    for machine in &mut record.machines {
        machine.console.flush();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let files = format!("{stem}-files");
    record.files.place(&path.with_file_name(&files))?;

    let page = Page {
        title: &record.title,
        style: STYLE,
        script: SCRIPT,
        script_hash: BASE64_STANDARD.encode(Sha256::digest(SCRIPT)),
        data: data(record, files)?,
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let mut file = tempfile::Builder::new();
    file.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let file = file.tempfile_in(dir.unwrap_or(Path::new(".")))?;
    let mut writer = BufWriter::new(file.as_file());
    page.write_into(&mut writer)?;
    writer.flush()?;
    drop(writer);
    // Whoever looks at an earlier page never sees half of a new one.
    file.persist(path)
        .map(|_: File| ())
        .map_err(io::Error::from)
}

fn data(record: &Record, files: String) -> io::Result<String> {
    let data = Data {
        title: &record.title,
        version: env!("CARGO_PKG_VERSION"),
        outcome: record.outcome(),
        story: record.conclusion.as_ref().map_or("", |(_, story)| story),
        date: record
            .date
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis(),
        took: record.now(),
        failing: record.failing(),
        left_out: record.left_out,
        files,
        machines: &record.machines,
        steps: &record.steps,
        pictures: record.pictures.urls(),
    };
    // In JSON a `<` can only be in a string. Without one, no text ends the element that
    // this is in.
    Ok(serde_json::to_string(&data)?.replace('<', "\\u003c"))
}
