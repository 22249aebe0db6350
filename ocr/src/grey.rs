//! Grey pictures, and how they map to the screen.

/// How a rendered picture maps to the screen: the screen is reduced by the factor
/// `shrink`, enlarged by `scale`, and surrounded by `margin` pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Of the screen, in pixels.
    pub(crate) width: u32,
    /// Of the screen, in pixels.
    pub(crate) height: u32,
    pub(crate) shrink: u32,
    pub(crate) scale: u32,
    /// In pixels of the rendered picture.
    pub(crate) margin: u32,
}

/// 8 bits per pixel, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grey {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
}

impl Grey {
    /// Enlarged by `scale`, with linear interpolation.
    pub(crate) fn enlarged(&self, scale: usize) -> Self {
        if scale == 1 {
            return self.clone();
        }
        let rows = self.pixels.chunks_exact(self.width);
        let wide: Vec<u8> = rows.flat_map(|row| enlarge(row, scale)).collect();
        let width = self.width * scale;
        let row = |y: usize| &wide[y * width..(y + 1) * width];
        let mut pixels = Vec::with_capacity(wide.len() * scale);
        for y in 0..self.height * scale {
            let (first, second, part) = between(y, self.height, scale);
            let pairs = row(first).iter().zip(row(second));
            pixels.extend(pairs.map(|(&a, &b)| mix(a, b, part, scale)));
        }
        Self {
            width,
            height: self.height * scale,
            pixels,
        }
    }

    /// With a margin of the most frequent grey on each side.
    pub(crate) fn framed(&self, margin: usize) -> Self {
        let width = self.width + 2 * margin;
        let mut counts = [0_usize; 256];
        for &pixel in &self.pixels {
            counts[usize::from(pixel)] += 1;
        }
        let most_frequent = (0..=255).max_by_key(|&grey: &u8| counts[usize::from(grey)]);
        let most_frequent = most_frequent.unwrap_or(u8::MAX);
        let mut pixels = vec![most_frequent; width * margin];
        for row in self.pixels.chunks_exact(self.width) {
            pixels.resize(pixels.len() + margin, most_frequent);
            pixels.extend(row);
            pixels.resize(pixels.len() + margin, most_frequent);
        }
        pixels.resize(pixels.len() + width * margin, most_frequent);
        Self {
            width,
            height: self.height + 2 * margin,
            pixels,
        }
    }
}

/// A row with `scale` times as many pixels, interpolated.
fn enlarge(row: &[u8], scale: usize) -> impl Iterator<Item = u8> {
    (0..row.len() * scale).map(move |x| {
        let (first, second, part) = between(x, row.len(), scale);
        mix(row[first], row[second], part, scale)
    })
}

/// The pixels between whose middles the middle of an enlarged pixel is, and how far from
/// the first, in parts of `2 * scale`.
fn between(enlarged: usize, size: usize, scale: usize) -> (usize, usize, usize) {
    let place = 2 * enlarged + 1 + scale;
    let second = place / (2 * scale);
    (
        second.saturating_sub(1),
        second.min(size - 1),
        place % (2 * scale),
    )
}

fn mix(first: u8, second: u8, part: usize, scale: usize) -> u8 {
    let sum = usize::from(first) * (2 * scale - part) + usize::from(second) * part + scale;
    u8::try_from(sum / (2 * scale)).unwrap_or(u8::MAX)
}
