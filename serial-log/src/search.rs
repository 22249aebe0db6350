//! Incremental search in a growing text. No I/O, no clock.

use std::ops::Range;

use memchr::{memchr_iter, memrchr};
use regex_automata::{Input, meta};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::error::Error;
use crate::history::History;
use crate::visible::{Visible, is_all_visible};

/// How many bytes of searched text a search that may span lines searches again
/// when text arrives.
pub const LOOK_BACK: usize = 256 * 1024;

/// The maximum searched at once by a search that cannot span lines, in bytes.
const PIECE: usize = 1024 * 1024;

/// Placeholder for the text to come: ends neither a line nor a word.
const NEXT: char = 'x';

/// What must be searched again when text arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rescan {
    /// The unfinished last line.
    Line,
    /// At least the last [`LOOK_BACK`] bytes.
    LookBack,
}

/// A compiled regular expression.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: meta::Regex,
    rescan: Rescan,
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Result<Self, Error> {
        let invalid = |reason: String| Error::InvalidPattern {
            pattern: pattern.to_owned(),
            reason,
        };
        let hir = regex_syntax::ParserBuilder::new()
            .multi_line(true)
            .build()
            .parse(pattern)
            .map_err(|e| invalid(e.to_string()))?;
        let regex = meta::Builder::new()
            .build_from_hir(&hir)
            .map_err(|e| invalid(e.to_string()))?;
        let rescan = if may_match_newline(&hir) {
            Rescan::LookBack
        } else {
            Rescan::Line
        };
        Ok(Self { regex, rescan })
    }

    pub(crate) fn rescan(&self) -> Rescan {
        self.rescan
    }

    /// Returns the first match in `text[range]`; `^`, `$` and `\b` see the text
    /// around it.
    pub(crate) fn find(&self, text: &str, range: Range<usize>) -> Option<Range<usize>> {
        let found = self.regex.find(Input::new(text).range(range))?;
        Some(found.range())
    }
}

fn may_match_newline(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&b'\n'),
        HirKind::Class(Class::Unicode(class)) => {
            class.iter().any(|r| (r.start()..=r.end()).contains(&'\n'))
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().any(|r| (r.start()..=r.end()).contains(&b'\n'))
        }
        HirKind::Repetition(repetition) => may_match_newline(&repetition.sub),
        HirKind::Capture(capture) => may_match_newline(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(may_match_newline),
    }
}

/// A search's copy of the text it has not searched yet, so that a slow search
/// does not block the log.
#[derive(Debug)]
pub(crate) struct Window {
    /// The character before the text to search, if any; the text to search;
    /// [`NEXT`].
    text: String,
    /// The index in `text` at which the search begins.
    from: usize,
    /// The position of `text` in the log.
    start: u64,
    /// The number of the line in which `text` begins.
    line: u64,
    rescan: Rescan,
    /// The text to search contains no escape sequences. Each byte is checked once, or twice.
    is_all_visible: bool,
}

/// A match in the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) text: String,
    /// The number of the line in which it begins, starting at 1.
    pub(crate) line: u64,
    /// The position of its end.
    pub(crate) end: u64,
}

impl Window {
    /// Creates a window that starts at `position`; empty until filled.
    pub(crate) fn new(history: &History, position: u64, rescan: Rescan) -> Self {
        let position = position.max(history.start());
        let context = history.char_before(position);
        let from = context.map_or(0, char::len_utf8);
        let start = position - from as u64;
        Self {
            text: context.into_iter().chain([NEXT]).collect(),
            from,
            start,
            line: history.line_number(start),
            rescan,
            is_all_visible: true,
        }
    }

    /// The position up to which the window has been filled.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.filled() as u64
    }

    fn filled(&self) -> usize {
        self.text.len() - NEXT.len_utf8()
    }

    /// Appends the log's new text; at most [`PIECE`] bytes if the search cannot
    /// span lines. Evicted text is skipped.
    pub(crate) fn fill(&mut self, history: &History) {
        if self.end() < history.start() {
            *self = Self::new(history, history.start(), self.rescan);
        }
        let mut new = history.since(self.end());
        if self.rescan == Rescan::Line && new.len() > PIECE {
            let end = memrchr(b'\n', &new.as_bytes()[..PIECE]);
            new = &new[..end.map_or(new.len(), |n| n + 1)];
        }
        self.is_all_visible &= is_all_visible(new);
        self.text.pop();
        self.text.push_str(new);
        self.text.push(NEXT);
    }

    /// Searches the window with `find`, which is given a text and a range of it:
    /// first the text itself, then its visible part, if that differs. Of two
    /// matches, the first counts.
    ///
    /// Without a match, drops the text that need not be searched again.
    pub(crate) fn search(
        &mut self,
        mut find: impl FnMut(&str, Range<usize>) -> Option<Range<usize>>,
    ) -> Option<Found> {
        let raw = find(&self.text, self.from..self.filled());
        let raw = raw.map(|range| (range.clone(), self.text[range].to_owned()));
        let visible = self.find_visible(find);
        let matches = raw.into_iter().chain(visible);
        let Some((range, text)) = matches.min_by_key(|(range, _)| range.start) else {
            self.drop_searched();
            return None;
        };
        Some(Found {
            line: self.line + count_lines(&self.text[..range.start]),
            end: self.start + range.end as u64,
            text,
        })
    }

    /// Searches the visible part of the window. Returns the match's range in the
    /// window, and its visible text.
    fn find_visible(
        &self,
        mut find: impl FnMut(&str, Range<usize>) -> Option<Range<usize>>,
    ) -> Option<(Range<usize>, String)> {
        if self.is_all_visible {
            return None;
        }
        let visible = Visible::of(&self.text[self.from..self.filled()]);
        let text = format!("{}{}{NEXT}", &self.text[..self.from], visible.text);
        let found = find(&text, self.from..self.from + visible.text.len())?;
        let shown = text[found.clone()].to_owned();
        let range = visible.original(found.start - self.from..found.end - self.from);
        Some((self.from + range.start..self.from + range.end, shown))
    }

    /// Drops all but the text that must be searched again and the newline before
    /// it.
    fn drop_searched(&mut self) {
        let searched = &self.text.as_bytes()[self.from..self.filled()];
        let line_end = match self.rescan {
            Rescan::Line => memrchr(b'\n', searched),
            // Only if at least as much is dropped as kept, because the remaining
            // text is moved.
            Rescan::LookBack if searched.len() > 2 * LOOK_BACK => {
                let at_most = searched.len() - LOOK_BACK;
                memrchr(b'\n', &searched[..at_most])
            }
            Rescan::LookBack => None,
        };
        let Some(line_end) = line_end.map(|n| self.from + n) else {
            return;
        };
        self.line += count_lines(&self.text[..line_end]);
        self.start += line_end as u64;
        self.text.drain(..line_end);
        self.text.shrink_to(2 * PIECE);
        self.from = 1;
        self.is_all_visible = self.is_all_visible || is_all_visible(&self.text);
    }
}

fn count_lines(text: &str) -> u64 {
    memchr_iter(b'\n', text.as_bytes()).count() as u64
}

#[cfg(test)]
mod tests;
