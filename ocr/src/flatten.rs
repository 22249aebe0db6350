//! Text as its distance from the background around it.
//!
//! Programs draw on flat backgrounds: areas of one colour, or of a slowly changing
//! one. Such an area becomes white; every other pixel becomes darker the more its
//! colour differs from the nearest area in its row. Light text on dark, dark text on
//! light and red text on blue all become dark text on white, in one picture.

use crate::Image;
use crate::areas::{Areas, Run};
use crate::blobs::Blob;
use crate::color::{Color, distance, luma};
use crate::strips::Strip;

/// Contrast is amplified at most by this factor.
const MAX_GAIN: u8 = 4;

/// The amplification depends on the strongest contrast in blocks of this size, in
/// pixels.
const BLOCK: usize = 16;

/// The text of a screen, dark on white.
pub(crate) struct Flat {
    width: usize,
    /// 8 bits per pixel.
    pub(crate) pixels: Vec<u8>,
    /// Whether a pixel is lighter than its background.
    lighter: Vec<bool>,
}

/// Less dark than this, a shadow does not matter.
const MIN_SHADOW: u8 = 64;

impl Flat {
    /// Removes shadows of text, and the light edges of engraved text: on each background, most
    /// of what is drawn is either lighter or darker, and the rest is removed.
    pub(crate) fn remove_shadows(&mut self, strip: &Strip) {
        let mut areas: Vec<usize> = strip.blobs.iter().map(|blob| blob.area).collect();
        areas.sort_unstable();
        areas.dedup();
        for area in areas {
            let blobs = || strip.blobs.iter().filter(|blob| blob.area == area);
            let (mut sums, mut strongest) = ([0_usize; 2], [0_u8; 2]);
            for index in blobs().flat_map(|blob| pixels_of(blob, self.width)) {
                let dark = u8::MAX - self.pixels[index];
                let side = usize::from(self.lighter[index]);
                sums[side] += usize::from(dark);
                strongest[side] = strongest[side].max(dark);
            }
            if strongest.into_iter().any(|dark| dark < MIN_SHADOW) {
                continue;
            }
            let is_text_lighter = sums[1] > sums[0];
            for index in blobs().flat_map(|blob| pixels_of(blob, self.width)) {
                if self.lighter[index] != is_text_lighter {
                    self.pixels[index] = u8::MAX;
                }
            }
        }
    }
}

/// The indices of the pixels in the blob's rectangle.
fn pixels_of(blob: &Blob, width: usize) -> impl Iterator<Item = usize> {
    let columns = blob.left..blob.right;
    (blob.top..blob.bottom).flat_map(move |y| columns.clone().map(move |x| y * width + x))
}

/// Returns `None` if the screen is not flat.
pub(crate) fn flatten(image: &Image, areas: &Areas) -> Option<Flat> {
    let width = image.width() as usize;
    let mut pixels = vec![0; image.pixels().len()];
    let mut lighter = vec![false; image.pixels().len()];
    // Rows without any background use the one of a row above.
    let mut background = areas.rows().flatten().find(|run| run.is_background)?.color;
    let rows = image.pixels().chunks_exact(width);
    let results = pixels
        .chunks_exact_mut(width)
        .zip(lighter.chunks_exact_mut(width));
    for ((row, runs), results) in rows.zip(areas.rows()).zip(results) {
        measure(row, runs, &mut background, results);
    }
    amplify(&mut pixels, width);
    Some(Flat {
        width,
        pixels,
        lighter,
    })
}

/// Fills in the distances of a row, and which pixels are lighter. `background` is that of the last
/// row which had one.
fn measure(
    row: &[Color],
    runs: &[Run],
    background: &mut Color,
    (distances, lighter): (&mut [u8], &mut [bool]),
) {
    let mut flat = runs.iter().filter(|run| run.is_background).peekable();
    let mut start = 0;
    let mut left = None;
    loop {
        let right = flat.next();
        let end = right.map_or(row.len(), |run| run.start);
        let (before, after) = match (left, right.map(|run| run.color)) {
            (Some(before), Some(after)) => (before, after),
            (Some(only), None) | (None, Some(only)) => (only, only),
            (None, None) => (*background, *background),
        };
        let middle = usize::midpoint(start, end);
        for x in start..end {
            let background = if x < middle { before } else { after };
            distances[x] = distance(row[x], background);
            lighter[x] = luma(row[x]) > luma(background);
        }
        let Some(right) = right else { break };
        start = right.end;
        left = Some(right.color);
        *background = right.color;
    }
}

/// Inverts the distances and amplifies them: the strongest one nearby becomes black.
fn amplify(pixels: &mut [u8], width: usize) {
    let columns = width.div_ceil(BLOCK);
    let blocks: Vec<Vec<u8>> = pixels
        .chunks(width * BLOCK)
        .map(|rows| strongest(rows, width, columns))
        .collect();
    for (y, row) in pixels.chunks_exact_mut(width).enumerate() {
        let near = y / BLOCK;
        let near = &blocks[near.saturating_sub(1)..blocks.len().min(near + 2)];
        for (x, pixels) in row.chunks_mut(BLOCK).enumerate() {
            let columns = x.saturating_sub(1)..columns.min(x + 2);
            let strongest = near.iter().flat_map(|row| &row[columns.clone()]).max();
            let black = strongest.map_or(0, |&v| v).max(u8::MAX / MAX_GAIN);
            for pixel in pixels {
                let dark = u16::from(*pixel) * 255 / u16::from(black);
                *pixel = 255 - u8::try_from(dark).unwrap_or(u8::MAX);
            }
        }
    }
}

/// The strongest distance in each block of these rows.
fn strongest(rows: &[u8], width: usize, columns: usize) -> Vec<u8> {
    let mut strongest = vec![0; columns];
    for row in rows.chunks_exact(width) {
        for (block, pixels) in strongest.iter_mut().zip(row.chunks(BLOCK)) {
            *block = pixels.iter().fold(*block, |most, &pixel| most.max(pixel));
        }
    }
    strongest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 120×40 pixels: two halves of different colours, each with a small square of
    /// another colour.
    fn picture([left, on_left, right, on_right]: [Color; 4]) -> Image {
        let pixels = (0..40).flat_map(|y| {
            (0..120).map(move |x| match (x, y) {
                (20..24, 20..24) => on_left,
                (80..84, 20..24) => on_right,
                (..60, _) => left,
                _ => right,
            })
        });
        Image::new(120, 40, pixels.collect())
    }

    fn flat(image: &Image) -> Option<Vec<u8>> {
        flatten(image, &Areas::find(image)?).map(|flat| flat.pixels)
    }

    #[test]
    fn all_text_becomes_black_on_white() {
        let [white, black, red] = [[255; 3], [0; 3], [200, 0, 0]];
        let grey = [100; 3];
        let pixels = flat(&picture([black, red, white, grey])).unwrap();
        for (index, pixel) in pixels.iter().enumerate() {
            let text = matches!(index % 120, 20..24 | 80..84) && (20..24).contains(&(index / 120));
            assert_eq!(*pixel, if text { 0 } else { 255 }, "{index}");
        }
    }

    #[test]
    fn a_negative_gives_the_same_result() {
        let colors = [[3, 7, 90], [200, 200, 10], [240; 3], [90, 0, 0]];
        let negative = colors.map(|color| color.map(|sample: u8| 255 - sample));
        assert_eq!(flat(&picture(colors)), flat(&picture(negative)));
    }

    #[test]
    fn shadows_of_text_are_removed() {
        let [blue, white, shadow] = [[90, 140, 200], [255; 3], [40, 60, 90]];
        let pixels = (0..40).flat_map(|y| {
            // Six letters.
            (0..120).map(move |x| match (x % 10, y) {
                _ if !(20..80).contains(&x) => blue,
                (0..6, 20..26) => white,
                (1..7, 21..27) => shadow,
                _ => blue,
            })
        });
        let image = Image::new(120, 40, pixels.collect());
        let areas = Areas::find(&image).unwrap();
        let mut flat = flatten(&image, &areas).unwrap();
        let dark = |flat: &Flat| flat.pixels.iter().filter(|&&pixel| pixel < 128).count();
        assert_eq!(dark(&flat), 6 * (36 + 11));
        for strip in crate::strips::find(&crate::blobs::find(&areas)) {
            flat.remove_shadows(&strip);
        }
        assert_eq!(dark(&flat), 6 * 36);
    }

    #[test]
    fn noise_is_not_flat() {
        let pixels = (0_u32..10_000).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes());
        let image = Image::new(100, 100, pixels.map(|[a, b, c, _]| [a, b, c]).collect());
        assert_eq!(flat(&image), None);
        assert_eq!(flat(&Image::new(1, 1, vec![[0; 3]])), None);
    }
}
