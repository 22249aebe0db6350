//! The text of a picture, recognised with one engine.

use crate::grey::Grey;
use crate::page::{self, Block};
use crate::preprocess::Prepared;
use crate::tesseract::Content;
use crate::{Image, Picture, ReadError, Word, lines, strips, terminal, tsv};

/// The result of reading with an engine; `None` without the engine.
pub(crate) type Read<T> = Result<Option<T>, ReadError>;

/// Reads with an engine.
pub(crate) type ReadPicture<'a> = dyn FnMut(&Grey, Content) -> Read<String> + 'a;

/// Reads a picture of the whole screen.
pub(crate) fn read_whole(
    prepared: &Prepared,
    picture: Picture,
    content: Content,
    read: &mut ReadPicture<'_>,
) -> Read<Vec<Block>> {
    let table = read(&prepared.render(picture), content)?;
    let lines = table.map(|table| tsv::lines(&table, &prepared.geometry()));
    Ok(lines.map(page::blocks))
}

/// Reads monospaced text by its glyphs, and other text line by line.
pub(crate) fn read_parts(prepared: &Prepared, read: &mut ReadPicture<'_>) -> Read<Vec<Block>> {
    if !prepared.has_parts() {
        return read_whole(prepared, Picture::Processed, Content::DarkOnLight, read);
    }
    let mut read_line = |line: &Grey| read(line, Content::Line);
    let mut lines = Vec::new();
    for (flat, strip) in prepared.strips() {
        let Some(words) = strips::read(strip, flat, &mut read_line)? else {
            return Ok(None);
        };
        lines.push(words);
    }
    let mut blocks = page::blocks(lines::join(lines));
    for cells in prepared.terminals() {
        let Some(text) = terminal::read::read(cells, &mut read_line)? else {
            return Ok(None);
        };
        blocks.extend(text);
    }
    Ok(Some(blocks))
}

/// Reads a screen with `engine` in the place of Tesseract: of a picture's grey pixels, row by
/// row, and the number of pixels in a row, it returns Tesseract's table (TSV) of words.
///
/// For fuzz targets and tests.
#[doc(hidden)]
pub fn read_with(
    image: &Image,
    engine: &mut dyn FnMut(&[u8], usize) -> String,
) -> (String, Vec<Word>) {
    let mut read = |picture: &Grey, _| Ok(Some(engine(&picture.pixels, picture.width)));
    let blocks = read_parts(&Prepared::new(image), &mut read);
    page::assemble(blocks.ok().flatten().unwrap_or_default())
}
