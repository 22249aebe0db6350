//! Tesseract reads the text of screens, and accepts any picture.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ocr::{Engine, Image, Picture, ReadError, Reader, Reading, Rect, Screen};
use regex::Regex;

/// QEMU's firmware: 720×400 pixels, grey on black.
const FIRMWARE: &[u8] = include_bytes!("../corpus/firmware/option-rom.png");

/// iPXE in QEMU: 720×400 pixels, full of text, some of it white or cyan.
const NETWORK_BOOT: &[u8] = include_bytes!("../corpus/firmware/ipxe.png");

/// A drawing: 800×600 pixels, dark and light windows, coloured text.
const DESKTOP: &[u8] = include_bytes!("screens/desktop.png");

/// Six xterms in an X server: 1024×768 pixels.
const TERMINALS: &[u8] = include_bytes!("screens/terminals.png");

/// A list of files with icons: 800×560 pixels.
const TABLE: &[u8] = include_bytes!("../corpus/desktop/files-small.png");

/// Debian's installer in GTK: 800×600 pixels.
const INSTALLER: &[u8] = include_bytes!("../corpus/desktop/installer.png");

/// Five xterms in an X server: 1024×768 pixels.
const LONE: &[u8] = include_bytes!("screens/characters.png");

/// Four xterms with a line each: 760×340 pixels.
const SHORT_LINES: &[u8] = include_bytes!("screens/short-lines.png");

fn screen(png: &[u8]) -> Image {
    Image::from_png(png).unwrap()
}

/// An image of these pixels.
fn image(width: u32, height: u32, pixel: impl Fn(usize) -> [u8; 3]) -> Image {
    let pixels = (0..width as usize * height as usize).map(pixel);
    Image::from_rgb(width, height, pixels.collect()).unwrap()
}

fn read(image: &Image) -> Reading {
    Reader::new().read(image)
}

#[test]
fn a_firmware_screen_is_read() {
    let reading = read(&screen(FIRMWARE));
    let text = reading.text().unwrap();
    assert!(text.starts_with("SeaBIOS (version 1.16.2-debian"), "{text}");
    assert!(text.contains("Booting from ROM..."), "{text}");
}

#[test]
fn lines_are_whole() {
    let best = read(&screen(NETWORK_BOOT)).variants().next().unwrap();
    let lines: Vec<_> = best.unwrap().lines().collect();
    assert_eq!(lines[0], "Boot failed: could not read the boot disk");
    for line in ["No more network devices", "No bootable device."] {
        assert!(lines.iter().any(|other| other == line), "{lines:#?}");
    }
}

#[test]
fn light_dark_and_coloured_text_is_read_in_one_pass() {
    let text = read(&screen(DESKTOP)).text().unwrap();
    for line in [
        "Applications Places System",
        "Terminal - root@minimal",
        "systemctl status nginx",
        "Active: active (running) since Monday",
        "Failed to start the database server",
        "documents pictures",
        "Do you want to save the changes?",
        "Save",
        "Cancel",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
}

/// Six xterms, each with one line, in fonts of different sizes and colours.
#[test]
fn text_in_small_windows_is_found() {
    let screen = Screen::new(screen(TERMINALS), None, &Reader::new());
    for line in [
        "disk is 93% full",
        "Ready: 17 users",
        "login as root",
        "Password for bob",
        "ERROR 404",
        "small font works",
    ] {
        assert_eq!(
            screen.matches(|text| text.contains(line)),
            Ok(true),
            "{line}"
        );
    }
}

/// One newline between the lines of a paragraph, and the words of each in order.
#[test]
fn paragraphs_in_a_window_are_read_line_by_line() {
    let paragraphs = "\
The installer can guide you through partitioning a disk (using different standard schemes) or, if \
you prefer,
you can do it manually. With guided partitioning you will still have a chance later to review and \
customise
the results.

If you choose guided partitioning for an entire disk, you will next be asked which disk should be \
used.";
    let text = read(&screen(INSTALLER)).text().unwrap();
    assert!(text.contains(paragraphs), "{text}");
}

/// A row of a table, whose columns are read as blocks.
#[test]
fn text_on_one_line_is_found_though_it_is_in_several_blocks() {
    let screen = Screen::new(screen(TABLE), None, &Reader::new());
    let row = "Downloads 203 items folder 28.11.2026";
    assert!(!screen.text().unwrap().contains(row));
    assert_eq!(screen.matches(|text| text.contains(row)), Ok(true));
    let found = screen.find(&Regex::new(&regex::escape(row)).unwrap());
    let [rect] = found.unwrap()[..] else {
        panic!("one match")
    };
    assert!(rect.x < 120 && rect.width > 340, "{rect:?}");
    assert!((140..160).contains(&rect.y) && rect.height < 20, "{rect:?}");
}

/// Five xterms with one character each.
#[test]
fn a_lone_character_is_read() {
    let text = read(&screen(LONE)).text().unwrap();
    let mut lines: Vec<&str> = text.split_whitespace().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["#", "7", "A", "q", "x"]);
}

#[test]
fn a_digit_after_letters_is_a_digit() {
    let text = read(&screen(SHORT_LINES)).text().unwrap();
    for line in ["number1", "disk1 hello", "block 12", "number8"] {
        assert!(text.contains(line), "no {line:?} in {text:?}");
    }
}

#[test]
fn an_image_and_its_negative_have_the_same_text() {
    let screen = screen(DESKTOP);
    let negative = image(screen.width(), screen.height(), |index| {
        screen.pixels()[index].map(|sample| 255 - sample)
    });
    let (screen, negative) = (read(&screen), read(&negative));
    assert_eq!(screen.text(), negative.text());
    assert_eq!(screen.words(), negative.words());
}

#[test]
fn earlier_readings_have_no_influence() {
    let reader = Reader::new();
    let all = |png| {
        let variants = reader.read(&screen(png)).variants();
        let mut variants: Vec<_> = variants.map(Result::unwrap).collect();
        variants.sort_by_key(|variant| format!("{:?} {:?}", variant.picture, variant.engine));
        variants
    };
    let first = all(FIRMWARE);
    assert_ne!(all(DESKTOP), first);
    assert_eq!(all(FIRMWARE), first);
}

#[test]
fn every_picture_is_a_variant() {
    let variants: Result<Vec<_>, _> = read(&screen(FIRMWARE)).variants().collect();
    let variants = variants.unwrap();
    for picture in [Picture::Processed, Picture::Raw, Picture::Negated] {
        let found = |v: &&ocr::Variant| v.picture == picture && v.engine == Engine::Lstm;
        let variant = variants.iter().find(found).unwrap();
        assert!(variant.text.contains("Booting from ROM"), "{variant:#?}");
    }
}

#[test]
fn words_have_places_on_the_screen() {
    let screen = screen(DESKTOP);
    let words = read(&screen).words().unwrap();
    for word in &words {
        let Rect {
            x,
            y,
            width,
            height,
        } = word.rect;
        assert!(width > 0 && x + width <= screen.width(), "{word:?}");
        assert!(height > 0 && y + height <= screen.height(), "{word:?}");
        assert!((0.0..=100.0).contains(&word.confidence), "{word:?}");
        assert_eq!(word.text.trim(), word.text);
        assert!(!word.text.is_empty());
    }
    let save = words.iter().rfind(|word| word.text == "Save").unwrap();
    let (x, y) = save.rect.center();
    // The button.
    assert!(
        (420..500).contains(&x) && (510..540).contains(&y),
        "{save:?}"
    );
}

#[test]
fn a_pattern_is_found_across_words() {
    let find = |pattern| {
        let reading = read(&screen(NETWORK_BOOT));
        reading.find_text(&Regex::new(pattern).unwrap()).unwrap()
    };
    // Tesseract splits this line.
    let [place] = find("failed: could not read")[..] else {
        panic!("one match, in the first line")
    };
    assert!(
        place.y < 16 && place.x > 36 && place.width > 180,
        "{place:?}"
    );
    assert_eq!(find("no such text"), []);
}

#[test]
fn readings_outlive_their_reader_and_each_other() {
    let reader = Reader::new();
    // These are dropped before they end.
    for png in [DESKTOP, FIRMWARE, NETWORK_BOOT, FIRMWARE] {
        let _ = reader.read(&screen(png)).variants();
    }
    let (one, two) = (
        reader.read(&screen(FIRMWARE)),
        reader.read(&screen(FIRMWARE)),
    );
    drop((reader, one));
    let clone = two.clone();
    let thread = std::thread::spawn(move || clone.text());
    assert_eq!(two.text(), thread.join().unwrap());
    assert_eq!(two.variants().count(), two.variants().count());
}

#[test]
fn pictures_without_text_have_none() {
    for image in [
        image(1, 1, |_| [0; 3]),
        image(1, 300, |_| [255; 3]),
        image(640, 480, |_| [0; 3]),
        image(640, 480, |_| [255, 0, 0]),
        image(20_000, 3, |_| [9; 3]),
    ] {
        let reading = read(&image);
        assert_eq!(reading.text(), Ok(String::new()));
        assert_eq!(reading.words(), Ok(Vec::new()));
        assert!(reading.variants().all(|variant| variant.is_ok()));
    }
}

#[test]
fn noise_is_accepted() {
    let noise = image(300, 200, |index| {
        let number = u32::try_from(index).unwrap().wrapping_mul(2_654_435_761);
        let [a, b, c, _] = (number ^ (number >> 15))
            .wrapping_mul(2_246_822_519)
            .to_be_bytes();
        [a, b, c]
    });
    assert!(read(&noise).variants().all(|variant| variant.is_ok()));
}

#[test]
fn the_largest_image_is_accepted() {
    assert_eq!(
        read(&image(8192, 8192, |_| [0; 3])).text(),
        Ok(String::new())
    );
}

#[test]
fn missing_language_data_is_reported_once() {
    let reading = Reader::with_data("eng+deu", "/nowhere").read(&screen(FIRMWARE));
    let missing = ReadError::LanguageMissing {
        language: "eng".to_owned(),
        file: "/nowhere/eng.traineddata".into(),
        package: "tesseract-ocr-eng".to_owned(),
    };
    assert_eq!(reading.text(), Err(missing.clone()));
    assert_eq!(reading.words(), Err(missing.clone()));
    assert_eq!(
        reading.find_text(&Regex::new("x").unwrap()),
        Err(missing.clone())
    );
    assert_eq!(reading.variants().collect::<Vec<_>>(), [Err(missing)]);

    let error = Reader::with_languages("no_such")
        .read(&screen(FIRMWARE))
        .text()
        .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("/tessdata/no_such.traineddata is missing"),
        "{error}"
    );
    assert!(
        error.ends_with("install the package tesseract-ocr-no-such"),
        "{error}"
    );
}

#[test]
fn damaged_language_data_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("eng.traineddata"), "not data").unwrap();
    let reader = Reader::with_data("eng", dir.path());
    let no_engine = ReadError::NoEngine {
        languages: "eng".to_owned(),
    };
    let reading = reader.read(&screen(FIRMWARE));
    assert_eq!(reading.text(), Err(no_engine.clone()));
    assert_eq!(reading.variants().collect::<Vec<_>>(), [Err(no_engine)]);
}

#[test]
fn invalid_lists_of_languages_are_refused() {
    for languages in ["", "eng+", "../eng", "e\0"] {
        let error = Reader::with_languages(languages)
            .read(&screen(FIRMWARE))
            .text();
        assert!(
            matches!(error, Err(ReadError::Languages { .. })),
            "{error:?}"
        );
    }
}
