//! Looking for something in a text that is still coming. No I/O, no clock.

use std::ops::Range;

use memchr::{memchr_iter, memrchr};
use regex_automata::{Input, meta};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::error::Error;
use crate::history::History;

/// How far back a search that may span lines looks again, in bytes: text that
/// was searched without success is forgotten beyond it.
pub const LOOK_BACK: usize = 256 * 1024;

/// The most that is searched at once, in bytes, where lines can be searched
/// one by one.
const PIECE: usize = 1024 * 1024;

/// Stands for what is yet to come: neither an end of a line nor one of a word.
const NEXT: char = 'x';

/// What has to be searched again when more has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// The last line, as long as it has not ended.
    Line,
    /// The last [`LOOK_BACK`] bytes at least.
    LookBack,
}

/// A regular expression.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: meta::Regex,
    again: Again,
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
        let again = if may_match_newline(&hir) {
            Again::LookBack
        } else {
            Again::Line
        };
        Ok(Self { regex, again })
    }

    pub(crate) fn again(&self) -> Again {
        self.again
    }

    /// The first match in `text[range]`; what stands around it is seen by `^`,
    /// `$` and `\b`.
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

/// One search's own copy of the text it has yet to look through, so that a
/// slow search never holds up the log.
#[derive(Debug)]
pub(crate) struct Window {
    /// The character before what is searched, if there is one; then what is
    /// searched; then [`NEXT`].
    text: String,
    /// Where in `text` the search begins.
    from: usize,
    /// Where `text` stands in the log.
    start: u64,
    /// The number of the line in which `text` begins.
    line: u64,
    again: Again,
}

/// Where in the log something was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) text: String,
    /// The number of the line in which it begins, from 1.
    pub(crate) line: u64,
    /// The position behind it.
    pub(crate) end: u64,
}

impl Window {
    /// A window on what comes from `position` on; empty until filled.
    pub(crate) fn new(history: &History, position: u64, again: Again) -> Self {
        let position = position.max(history.start());
        let context = history.char_before(position);
        let from = context.map_or(0, char::len_utf8);
        let start = position - from as u64;
        Self {
            text: context.into_iter().chain([NEXT]).collect(),
            from,
            start,
            line: history.line_number(start),
            again,
        }
    }

    /// The position up to which the window has been filled.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.filled() as u64
    }

    fn filled(&self) -> usize {
        self.text.len() - NEXT.len_utf8()
    }

    /// Appends what has come since; where lines can be searched one by one, no
    /// more than a piece of it. Text the log no longer remembers is left out.
    pub(crate) fn fill(&mut self, history: &History) {
        if self.end() < history.start() {
            *self = Self::new(history, history.start(), self.again);
        }
        let mut new = history.since(self.end());
        if self.again == Again::Line && new.len() > PIECE {
            let end = memrchr(b'\n', &new.as_bytes()[..PIECE]);
            new = &new[..end.map_or(new.len(), |n| n + 1)];
        }
        self.text.pop();
        self.text.push_str(new);
        self.text.push(NEXT);
    }

    /// Searches the window: `find` gets a text and the range in it to search.
    ///
    /// When nothing is found, what need not be searched again is forgotten.
    pub(crate) fn search(
        &mut self,
        mut find: impl FnMut(&str, Range<usize>) -> Option<Range<usize>>,
    ) -> Option<Found> {
        let Some(found) = find(&self.text, self.from..self.filled()) else {
            self.forget();
            return None;
        };
        Some(Found {
            line: self.line + count_lines(&self.text[..found.start]),
            end: self.start + found.end as u64,
            text: self.text[found].to_owned(),
        })
    }

    /// Forgets all but what has to be searched again, and the end of the line
    /// before it.
    fn forget(&mut self) {
        let searched = &self.text.as_bytes()[self.from..self.filled()];
        let line_end = match self.again {
            Again::Line => memrchr(b'\n', searched),
            // Only once there is as much to forget as to keep: the rest has to
            // be moved each time.
            Again::LookBack if searched.len() > 2 * LOOK_BACK => {
                let at_most = searched.len() - LOOK_BACK;
                memrchr(b'\n', &searched[..at_most])
            }
            Again::LookBack => None,
        };
        let Some(line_end) = line_end.map(|n| self.from + n) else {
            return;
        };
        self.line += count_lines(&self.text[..line_end]);
        self.start += line_end as u64;
        self.text.drain(..line_end);
        self.text.shrink_to(2 * PIECE);
        self.from = 1;
    }
}

fn count_lines(text: &str) -> u64 {
    memchr_iter(b'\n', text.as_bytes()).count() as u64
}

#[cfg(test)]
mod tests;
