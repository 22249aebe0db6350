//! Drawings: screens of rectangles, stripes, noise and text.

use ocr::Image;

/// The number of bytes of an operation.
const OPERATION: usize = 8;

/// A screen, as the operations that draw it.
pub(crate) struct Drawing<'a> {
    width: usize,
    height: usize,
    /// What to draw, where, and in what colour.
    operations: &'a [[u8; OPERATION]],
}

impl<'a> Drawing<'a> {
    /// Parses a size, the number of operations and the operations; returns the rest, too.
    pub(crate) fn parse(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[width, height, count], rest) = input.split_first_chunk()?;
        let length = (usize::from(count) * OPERATION).min(rest.len());
        let (operations, rest) = rest.split_at(length);
        let drawing = Self {
            width: 2 * usize::from(width) + 1,
            height: 2 * usize::from(height) + 1,
            operations: operations.as_chunks().0,
        };
        Some((drawing, rest))
    }

    pub(crate) fn image(&self) -> Image {
        let mut pixels = vec![[0; 3]; self.width * self.height];
        for &operation in self.operations {
            self.draw(operation, &mut pixels);
        }
        let [width, height] = [self.width, self.height].map(|side| side.try_into().expect("small"));
        Image::from_rgb(width, height, pixels).expect("a picture")
    }

    fn draw(&self, operation: [u8; OPERATION], pixels: &mut [[u8; 3]]) {
        let [kind, left, top, width, height, color @ ..] = operation;
        let (left, top) = (2 * usize::from(left), 2 * usize::from(top));
        let right = (left + 2 * usize::from(width)).min(self.width);
        let bottom = (top + 2 * usize::from(height)).min(self.height);
        let size = usize::from(kind >> 3);
        for y in top..bottom {
            for x in left..right {
                let (column, row) = (x - left, y - top);
                let pixel = &mut pixels[y * self.width + x];
                match kind % 8 {
                    0 => *pixel = color,
                    1 if column % (size + 2) == 0 => *pixel = color,
                    2 if row % (size + 2) == 0 => *pixel = color,
                    3 => *pixel = noise(x + 1000 * y),
                    4 => *pixel = gradient(color, column),
                    // Letters in cells, equal ones or of any shape.
                    5 if is_ink([column, row], [6 + size, 12 + size], 9) => *pixel = color,
                    6 if is_ink([column, row], [6 + size, 12 + size], usize::MAX) => *pixel = color,
                    7 if (column * row) % (size + 2) == 0 => *pixel = color,
                    _ => {}
                }
            }
        }
    }
}

fn gradient(color: [u8; 3], column: usize) -> [u8; 3] {
    color.map(|sample| sample.wrapping_add(column.to_le_bytes()[0] / 8))
}

/// Whether a pixel is part of a letter: one of `count`, in cells of a size.
fn is_ink([x, y]: [usize; 2], [width, height]: [usize; 2], count: usize) -> bool {
    let letter = noise(x / width + 100 * (y / height))[0] as usize % count;
    let (column, row) = (x % width, y % height);
    column + 1 < width
        && row + 3 < height
        && noise(letter + 1000 * (column / 2 + 10 * (row / 2)))[1] < 128
}

fn noise(seed: usize) -> [u8; 3] {
    let hash = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [.., a, b, c] = (hash ^ (hash >> 29))
        .wrapping_mul(0xbf58_476d_1ce4_e5b9)
        .to_le_bytes();
    [a, b, c]
}

/// Tesseract's table for the picture with this number and size, made of any bytes.
pub(crate) fn table(bytes: &[u8], number: usize, size: [usize; 2]) -> String {
    let start = number.wrapping_mul(7) % bytes.len().max(1);
    let mut bytes = bytes.iter().cycle().skip(start);
    let mut next = || bytes.next().copied().unwrap_or(0);
    let mut table = String::new();
    for word in 0..next() % 16 {
        let numbers = [0, 1, 0, 1].map(|side| usize::from(next()) * size[side] / 200);
        let [left, top, width, height] = numbers;
        let line = word / (1 + next() % 5);
        let confidence = next() % 101;
        let char = |byte: u8| char::from_u32(3 * u32::from(byte)).unwrap_or('x');
        let text: String = (0..next() % 12).map(|_| char(next())).collect();
        let row = format!("5\t1\t1\t1\t{line}\t{word}\t{left}\t{top}\t{width}\t{height}");
        table.extend([row, format!("\t{confidence}\t{text}\n")]);
    }
    table
}
