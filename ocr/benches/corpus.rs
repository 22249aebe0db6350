//! The errors and the time of reading the corpus, compared with another driver's pipeline
//! of `convert` and `tesseract`. Both read the same screens in one run, alternating: all, or
//! those with the argument in `CLASS/NAME`.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

#[path = "../corpus/corpus.rs"]
mod corpus;

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use corpus::{CLASSES, Screen};
use ocr::console::Fonts;
use ocr::{Image, Reader};

/// The reference's arguments, but without its limit on Tesseract's threads, which is
/// slower.
const CONVERT: &str = "-filter Catrom -density 72 -resample 300 -contrast -normalize \
    -despeckle -type grayscale -sharpen 1 -posterize 3 -negate -gamma 100 -blur 1x65535";
const TESSERACT: &str = "- -c debug_file=/dev/null --psm 11 --oem 1";

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` only checks that this starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let part = std::env::args().skip(1).find(|arg| arg != "--bench");
    let part = part.unwrap_or_default();
    let reader = Reader::new();
    // Loads the fonts and starts the engines, which is done once.
    Fonts::host();
    reader.read(&Image::from_rgb(1, 1, vec![[0; 3]])?).text()?;
    println!("errors in % of characters; each screen is read once by each");
    println!(
        "{:<36} {:>7} {:>9}  {:>9} {:>10} {:>6}",
        "screen", "errors", "reference", "time", "reference", "ratio"
    );
    for class in CLASSES {
        let mut scores = Vec::new();
        for screen in corpus::screens(class) {
            if !format!("{class}/{}", screen.name).contains(&part) {
                continue;
            }
            let score = score(&reader, class, &screen)?;
            score.print(&format!("{class}/{}", screen.name));
            scores.push(score);
        }
        if scores.len() > 1 {
            Score::sum(&scores).print(&format!("{class}: all"));
        }
    }
    Ok(())
}

/// The errors and times of a screen.
#[derive(Default)]
struct Score {
    characters: usize,
    ours: Pass,
    reference: Pass,
}

#[derive(Default)]
struct Pass {
    errors: usize,
    time: Duration,
}

fn score(reader: &Reader, class: &str, screen: &Screen) -> Result<Score, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let png = dir.path().join("screen.png");
    screen
        .image
        .write_png(BufWriter::new(File::create(&png)?))?;
    let pass = |text: &str, start: Instant| Pass {
        time: start.elapsed(),
        errors: corpus::errors(class, text, &screen.truth).0,
    };
    let start = Instant::now();
    let ours = pass(&corpus::read(reader, &screen.image)?, start);
    let start = Instant::now();
    let reference = pass(&subprocesses(&png)?, start);
    Ok(Score {
        characters: corpus::errors(class, "", &screen.truth).1,
        ours,
        reference,
    })
}

impl Score {
    fn sum(scores: &[Self]) -> Self {
        let mut sum = Self::default();
        for score in scores {
            sum.characters += score.characters;
            for (sum, pass) in [
                (&mut sum.ours, &score.ours),
                (&mut sum.reference, &score.reference),
            ] {
                sum.errors += pass.errors;
                sum.time += pass.time;
            }
        }
        sum
    }

    fn print(&self, name: &str) {
        #[expect(clippy::cast_precision_loss, reason = "they are few")]
        let percent = |pass: &Pass| 100.0 * pass.errors as f64 / self.characters as f64;
        println!(
            "{name:<36} {:>7.2} {:>9.2}  {:>9.1?} {:>10.1?} {:>5.0}×",
            percent(&self.ours),
            percent(&self.reference),
            self.ours.time,
            self.reference.time,
            self.reference.time.as_secs_f64() / self.ours.time.as_secs_f64(),
        );
    }
}

fn subprocesses(png: &Path) -> Result<String, Box<dyn Error>> {
    let tiff = png.with_extension("tiff");
    // The PATH may have other programs of that name.
    let mut convert = Command::new("/usr/bin/convert");
    convert.args(CONVERT.split_whitespace()).arg(png);
    output(convert.arg(format!("tiff:{}", tiff.display())))?;
    let mut tesseract = Command::new("tesseract");
    output(tesseract.arg(&tiff).args(TESSERACT.split_whitespace()))
}

fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    command.stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
