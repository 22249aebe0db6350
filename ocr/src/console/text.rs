//! The text of a console.

/// The text of a console: rows of characters, one per cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    columns: usize,
    rows: Vec<String>,
}

impl Text {
    /// Replaces every white-space character by a space.
    pub(super) fn new(columns: usize, chars: &[char]) -> Self {
        let chars = chars.chunks(columns.max(1));
        let to_row = |row: &[char]| {
            let chars = row.iter();
            let chars = chars.map(|char| if char.is_whitespace() { ' ' } else { *char });
            chars.collect()
        };
        Self {
            columns,
            rows: chars.map(to_row).collect(),
        }
    }

    /// The number of characters in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The rows from the top, each with all its blanks: a character's index is its
    /// column.
    pub fn rows(&self) -> &[String] {
        &self.rows
    }

    /// The rows without trailing blanks and trailing empty rows, separated by
    /// newlines.
    pub fn text(&self) -> String {
        let rows: Vec<_> = self.rows.iter().map(|row| row.trim_end()).collect();
        rows.join("\n").trim_end_matches('\n').to_owned()
    }

    /// Column and row, from 0, of the first character of each occurrence of `wanted`. An
    /// occurrence does not span rows.
    pub fn find(&self, wanted: &str) -> impl Iterator<Item = (usize, usize)> {
        self.rows.iter().enumerate().flat_map(move |(number, row)| {
            let found = row.match_indices(wanted);
            found.map(move |(byte, _)| (row[..byte].chars().count(), number))
        })
    }
}
