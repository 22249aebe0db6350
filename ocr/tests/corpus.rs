//! The corpus is read at least as well as the reference's pipeline reads it.

#![expect(clippy::print_stdout, reason = "what is wrong shows when it fails")]

#[path = "../corpus/corpus.rs"]
mod corpus;

use ocr::Reader;

/// Of a hundred characters, how many may be wrong: as many as `convert` and
/// `tesseract` 5.3 get wrong with the reference's arguments (`cargo xtask bench ocr`),
/// and none on consoles, where those get 35 wrong.
const BOUNDS: [(&str, f64); 4] = [
    ("console", 0.0),
    ("firmware", 50.0),
    ("xterm", 25.0),
    ("window", 21.0),
];

#[test]
fn the_corpus_is_read_well() {
    let reader = Reader::new();
    for (class, bound) in BOUNDS {
        let screens = corpus::screens(class);
        assert!(screens.len() >= 3, "{class} is hardly a class");
        let (mut wrong, mut all) = (0, 0);
        for screen in screens {
            let text = corpus::read(&reader, &screen.image).unwrap();
            let (errors, characters) = corpus::errors(&text, &screen.truth);
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
    assert_eq!(corpus::errors("a  b\n┌─┐\nc", "a b c"), (0, 5));
    assert_eq!(corpus::errors("", "nothing"), (7, 7));
    assert_eq!(corpus::errors("l0g", "log in"), (4, 6));
}

#[test]
fn every_class_is_bounded() {
    assert_eq!(BOUNDS.map(|(class, _)| class), corpus::CLASSES);
}
