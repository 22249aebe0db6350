//! How long it takes to read a screen, beside a driver that runs `convert` and
//! `tesseract` as its shell commands do: both read the same screens, turn about,
//! in one run.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use divan::Bencher;
use ocr::{Image, Reader};

const ROUNDS: usize = 5;

const SCREENS: [(&str, &[u8]); 3] = [
    ("firmware", include_bytes!("../tests/screens/firmware.png")),
    (
        "network-boot",
        include_bytes!("../tests/screens/network-boot.png"),
    ),
    ("desktop", include_bytes!("../tests/screens/desktop.png")),
];

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` runs this, too, to see that it starts.
    if std::env::args().any(|arg| arg == "--bench") {
        compare()?;
    }
    divan::main();
    Ok(())
}

/// The best text of a screen that is new.
#[divan::bench(args = SCREENS.map(|(name, _)| name), sample_count = 10)]
fn text(bencher: Bencher<'_, '_>, name: &str) {
    let reader = Reader::new();
    let [image, other] = [screen(name), other()];
    bencher
        .with_inputs(|| reader.read(&other))
        .bench_values(|_| reader.read(&image).text());
}

/// A screen that has not changed.
#[divan::bench(args = SCREENS.map(|(name, _)| name))]
fn unchanged(bencher: Bencher<'_, '_>, name: &str) {
    let (reader, image) = (Reader::new(), screen(name));
    let _ = reader.read(&image).text();
    bencher.bench(|| reader.read(&image).text());
}

fn screen(name: &str) -> Image {
    let found = SCREENS.iter().find(|(other, _)| *other == name);
    let image = found.map(|(_, png)| Image::from_png(png));
    image.and_then(Result::ok).unwrap_or_else(other)
}

/// One without text, so that the reader forgets the one before.
#[expect(clippy::unwrap_used, reason = "it is a picture")]
fn other() -> Image {
    Image::from_ppm(b"P6 1 1 255 abc").unwrap()
}

fn compare() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let reader = Reader::new();
    // Engines are kept: the first reading starts one.
    reader.read(&other()).text()?;
    println!("median of {ROUNDS} rounds, one engine (LSTM), a new screen each time");
    for (name, png) in SCREENS {
        let image = Image::from_png(png)?;
        let path = dir.path().join(format!("{name}.png"));
        image.write_png(BufWriter::new(File::create(&path)?))?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            reader.read(&other()).text()?;
            let start = Instant::now();
            reader.read(&image).text()?;
            ours.push(start.elapsed());
            theirs.extend(subprocesses(&path)?);
        }
        let ours = median(ours);
        if theirs.is_empty() {
            println!("{name}: {ours:.1?}; no `convert` or `tesseract` to compare with");
            continue;
        }
        let theirs = median(theirs);
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        println!("{name}: {ours:.1?}, subprocesses {theirs:.1?}, ratio {ratio:.1}");
    }
    Ok(())
}

const CONVERT: &str = "-filter Catrom -density 72 -resample 300 -contrast -normalize \
    -despeckle -type grayscale -sharpen 1 -posterize 3 -negate -gamma 100 -blur 1x65535";

const TESSERACT: &str = "- -c debug_file=/dev/null --psm 11 --oem 1";

/// `None` if the programs are not there.
fn subprocesses(png: &Path) -> Result<Option<Duration>, Box<dyn Error>> {
    let tiff = png.with_extension("tiff");
    let start = Instant::now();
    let mut convert = Command::new("/usr/bin/convert");
    convert.args(CONVERT.split_whitespace()).arg(png);
    convert.arg(format!("tiff:{}", tiff.display()));
    let mut tesseract = Command::new("tesseract");
    tesseract.arg(&tiff).args(TESSERACT.split_whitespace());
    for command in [&mut convert, &mut tesseract] {
        command.env_remove("OMP_THREAD_LIMIT").stdin(Stdio::null());
        match command.output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => return Err(String::from_utf8_lossy(&output.stderr).into()),
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(start.elapsed()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
