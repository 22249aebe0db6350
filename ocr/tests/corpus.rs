//! The corpus is read with few errors.

#![expect(clippy::print_stdout, reason = "a failure shows the errors")]

#[path = "../corpus/corpus.rs"]
mod corpus;

use ocr::Reader;

/// The limit of errors per class, in percent of its characters.
const BOUNDS: [(&str, f64); 7] = [
    ("console", 0.0),
    ("firmware", 1.0),
    ("xterm", 1.0),
    ("terminal", 1.0),
    ("window", 8.0),
    ("desktop", 8.0),
    ("language", 8.0),
];

#[test]
fn the_corpus_is_read_well() {
    let reader = Reader::new();
    let is_readable = |class: &str| cfg!(feature = "tesseract") || class == "console";
    for (class, bound) in BOUNDS {
        if !is_readable(class) {
            continue;
        }
        let screens = corpus::screens(class);
        assert!(screens.len() >= 3, "{class} has too few screens");
        let (mut wrong, mut all) = (0, 0);
        for screen in screens {
            let text = corpus::read(&reader, &screen.image).unwrap();
            let (errors, characters) = corpus::errors(class, &text, &screen.truth);
            println!(
                "{class}/{}: {errors} of {characters} wrong: {text}",
                screen.name
            );
            wrong += errors;
            all += characters;
        }
        #[expect(clippy::cast_precision_loss, reason = "they are few")]
        let rate = 100.0 * wrong as f64 / all as f64;
        assert!(
            rate <= bound,
            "{class}: {wrong} of {all} characters are wrong, {rate:.2} %"
        );
    }
}

#[test]
fn errors_are_counted_in_characters() {
    let errors = |read, truth| corpus::errors("console", read, truth);
    assert_eq!(errors("a  b\n┌─┐\nc", "a b c"), (0, 5));
    assert_eq!(errors("", "nothing"), (7, 7));
    assert_eq!(errors("l0g", "log in"), (4, 6));
    let errors = |read, truth| corpus::errors("desktop", read, truth);
    assert_eq!(errors("OK\nCancel x", "Cancel OK"), (1, 9));
    assert_eq!(errors("Cance1 OK", "OK Cancel Help"), (5, 14));
}

#[test]
fn every_class_is_bounded() {
    assert_eq!(BOUNDS.map(|(class, _)| class), corpus::CLASSES);
}
