//! The contents of `/dev/vcs*`, the screens of virtual terminals (`vcs(4)`).

/// The screen's rows and columns: the first two bytes of `/dev/vcsaN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// The bytes of a screen: of `/dev/vcsuN` (UTF-32 in the guest's byte order, always
/// little-endian for this driver), or of `/dev/vcsN` (one byte per character, in the encoding
/// of the console's font).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cells<'a> {
    Unicode(&'a [u8]),
    Bytes(&'a [u8]),
}

/// The text of a screen: each row in full width, followed by a newline.
pub(crate) fn text(size: Size, cells: Cells<'_>) -> String {
    let characters: Vec<char> = match cells {
        Cells::Unicode(bytes) => {
            let (cells, _) = bytes.as_chunks();
            let character = |&cell| char::from_u32(u32::from_le_bytes(cell)).unwrap_or('\u{fffd}');
            cells.iter().map(character).collect()
        }
        Cells::Bytes(bytes) => bytes.iter().map(|&byte| byte.into()).collect(),
    };
    let rows = characters.chunks(size.columns.max(1)).take(size.rows);
    rows.flat_map(|row| row.iter().copied().chain(['\n']))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        rows: 2,
        columns: 3,
    };

    #[test]
    fn rows_keep_their_width() {
        assert_eq!(text(SIZE, Cells::Bytes(b"ab cd ")), "ab \ncd \n");
        let unicode: Vec<u8> = "→b cd "
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        assert_eq!(text(SIZE, Cells::Unicode(&unicode)), "→b \ncd \n");
    }

    #[test]
    fn invalid_sizes_and_characters_are_accepted() {
        let none = Size {
            rows: 0,
            columns: 0,
        };
        assert_eq!(text(none, Cells::Bytes(b"abc")), "");
        assert_eq!(
            text(SIZE, Cells::Unicode(&[0xff, 0xff, 0xff, 0xff, 1])),
            "\u{fffd}\n"
        );
    }
}
