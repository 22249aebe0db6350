use std::ops::Range;

use super::{LOOK_BACK, PIECE, Pattern, Rescan, Window};
use crate::history::History;

const NOTHING: Option<Range<usize>> = None;

fn history(text: &str) -> History {
    let mut history = History::new(1 << 30);
    history.append(text, &[]);
    history
}

#[test]
fn patterns_that_cannot_match_a_newline_are_searched_line_by_line() {
    for pattern in [
        "login: $",
        "^a.*b",
        "[ab]+",
        r"\d\b",
        "(a|b){2,}",
        "",
        r"(?-s:.)\S",
    ] {
        assert_eq!(
            Pattern::new(pattern).unwrap().rescan(),
            Rescan::Line,
            "{pattern}"
        );
    }
    for pattern in [r"a\n", r"\s", "(?s:.)", "[^a]", "(a|b[[:space:]])*", r"\W"] {
        assert_eq!(
            Pattern::new(pattern).unwrap().rescan(),
            Rescan::LookBack,
            "{pattern}"
        );
    }
}

#[test]
fn a_pattern_that_needs_too_much_memory_is_rejected() {
    let error = Pattern::new(r"(\w{1000}){1000}").unwrap_err();
    assert!(
        error.to_string().contains("not a valid regular expression"),
        "{error}"
    );
}

#[test]
fn each_line_of_a_flood_is_searched_once() {
    let mut history = history("");
    let mut window = Window::new(&history, 0, Rescan::Line);
    let mut searched = 0;
    for n in 0..1000 {
        history.append(&format!("{n:>99}\n"), &[]);
        window.fill(&history);
        assert_eq!(
            window.search(|_, range| {
                searched += range.len();
                NOTHING
            }),
            None
        );
    }
    assert_eq!(searched, 100_000);
    assert!(window.text.capacity() < 1000);
}

#[test]
fn a_backlog_is_searched_in_pieces_of_whole_lines() {
    let line = "0123456789\n";
    let count = 3 * PIECE / line.len();
    let history = history(&line.repeat(count));
    let pattern = Pattern::new("^8.$").unwrap();
    let mut window = Window::new(&history, 0, pattern.rescan());
    let mut pieces = 0;
    while window.end() < history.end() {
        window.fill(&history);
        assert!(window.text.len() <= PIECE + 2 && window.text.ends_with("\nx"));
        assert_eq!(window.search(|text, range| pattern.find(text, range)), None);
        pieces += 1;
    }
    assert_eq!(pieces, 3);
    assert_eq!(window.line, count as u64);
}

#[test]
fn a_flood_is_searched_over_lines_with_a_bounded_look_back() {
    let mut history = history("");
    let mut window = Window::new(&history, 0, Rescan::LookBack);
    let line = "0123456789abcdef".repeat(16) + "\n";
    for n in 0..10_000 {
        history.append(&line, &[]);
        window.fill(&history);
        let found = window.search(|text, range| {
            assert!(range.len() <= 2 * LOOK_BACK + line.len());
            assert!(n * line.len() < LOOK_BACK || range.len() >= LOOK_BACK);
            assert!(text[range].starts_with("0123456789"));
            NOTHING
        });
        assert_eq!(found, None);
    }
    let found = window
        .search(|_, range| Some(range.end - 1..range.end))
        .unwrap();
    assert_eq!((found.end, found.line), (history.end(), 10_000));
}

#[test]
fn evicted_text_is_skipped() {
    let mut history = History::new(20);
    history.append("one\n", &[]);
    for rescan in [Rescan::Line, Rescan::LookBack] {
        let mut window = Window::new(&history, 0, rescan);
        window.fill(&history);
        assert_eq!(window.search(|_, _| NOTHING), None);
        for n in 0..10 {
            history.append(&format!("line {n}\n"), &[]);
        }
        window.fill(&history);
        let found = window.search(|text, range| {
            assert_eq!(&text[range], "line 8\nline 9\n");
            text.find('9').map(|n| n..n + 1)
        });
        assert_eq!(found.unwrap().line, history.line_number(history.end()) - 1);
    }
}

#[test]
fn text_before_the_cursor_is_context_only() {
    let history = history("one two\nthree");
    for (pattern, matches) in [("^ two", false), (r"\b two", true), (r"\B two", false)] {
        let compiled = Pattern::new(pattern).unwrap();
        let mut window = Window::new(&history, 3, compiled.rescan());
        window.fill(&history);
        let found = window.search(|text, range| compiled.find(text, range));
        assert_eq!(found.is_some(), matches, "{pattern}");
    }
}
