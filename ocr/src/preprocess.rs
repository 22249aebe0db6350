//! The pictures that Tesseract reads: grey, doubled in size, with a margin.
//!
//! A screen may have dark text on light and light text on dark at the same time, and
//! text that differs from its background in colour but not in brightness. So the first
//! of three pictures shows each pixel's distance from the background around it. The
//! other two, for screens that are not flat, are the screen in grey and its negative.

use crate::areas::Areas;
use crate::color::luma;
use crate::flatten::flatten;
use crate::grey::{Geometry, Grey};
use crate::strips::Strip;
use crate::terminal::cells::Cells;
use crate::{Image, Picture};
use crate::{blobs, strips, terminal};

/// The largest picture given to Tesseract.
const MAX_PIXELS: u64 = 1 << 24;

/// The longest side given to Tesseract, in pixels; its own limit is 32767.
const MAX_SIDE: u32 = 16_000;

/// The width of the margin in pixels of the screen. Text that touches the edge of a
/// picture is read badly.
const MARGIN: u32 = 8;

/// A screen of 1920×1080 pixels, full of text, has half as many.
const MAX_BLOBS: usize = 20_000;

/// Each takes some milliseconds.
const MAX_STRIPS: usize = 1000;

/// A screen from which the pictures are rendered.
pub(crate) struct Prepared {
    /// The screen in grey, reduced if it is huge.
    screen: Grey,
    /// The distances from the background, if the screen is flat.
    flat: Option<Grey>,
    /// Monospaced text, which is not in `flat`.
    terminals: Vec<Cells>,
    /// Other text.
    strips: Vec<Strip>,
    geometry: Geometry,
}

impl Prepared {
    pub(crate) fn new(image: &Image) -> Self {
        let shrink = shrink_factor(image.width(), image.height());
        let small = (shrink > 1).then(|| reduce(image, shrink));
        let reduced = small.as_ref().unwrap_or(image);
        let area = u64::from(reduced.width()) * u64::from(reduced.height());
        let enlarge = shrink == 1 && area * 4 <= MAX_PIXELS;
        let scale = if enlarge { 2 } else { 1 };
        let grey = |pixels| Grey {
            width: reduced.width() as usize,
            height: reduced.height() as usize,
            pixels,
        };
        let mut brightness: Vec<u8> = reduced.pixels().iter().map(|&p| luma(p)).collect();
        stretch(&mut brightness);
        let areas = Areas::find(reduced);
        let mut flat = areas.as_ref().and_then(|areas| flatten(reduced, areas));
        let (terminals, strips) = match &areas {
            Some(areas) if shrink == 1 => parts(reduced, areas),
            _ => (Vec::new(), Vec::new()),
        };
        if let Some(flat) = &mut flat {
            let lines = strips.iter().filter(|strip| !strip.is_symbol());
            lines.for_each(|strip| flat.remove_shadows(strip));
        }
        let flat = flat.map(|flat| grey(flat.pixels));
        Self {
            screen: grey(brightness),
            flat,
            terminals,
            strips,
            geometry: Geometry {
                width: image.width(),
                height: image.height(),
                shrink,
                scale,
                margin: MARGIN * scale,
            },
        }
    }

    pub(crate) fn terminals(&self) -> &[Cells] {
        &self.terminals
    }

    /// Whether any text was found.
    pub(crate) fn has_parts(&self) -> bool {
        !(self.terminals.is_empty() && self.strips.is_empty())
    }

    /// Other text than monospaced, and the picture of it.
    pub(crate) fn strips(&self) -> impl Iterator<Item = (&Grey, &Strip)> {
        let flat = self.flat.iter();
        flat.flat_map(|flat| self.strips.iter().map(move |strip| (flat, strip)))
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The pictures that can be rendered, the most promising first.
    pub(crate) fn pictures(&self) -> Vec<Picture> {
        let light = self.screen.pixels.iter().filter(|&&pixel| pixel > 127);
        let is_light = light.count() * 2 > self.screen.pixels.len();
        let flat = self.flat.as_ref().map(|_| Picture::Processed);
        let grey = if is_light {
            [Picture::Raw, Picture::Negated]
        } else {
            [Picture::Negated, Picture::Raw]
        };
        flat.into_iter().chain(grey).collect()
    }

    pub(crate) fn render(&self, picture: Picture) -> Grey {
        let grey = match (picture, &self.flat) {
            (Picture::Processed, Some(flat)) => flat,
            _ => &self.screen,
        };
        let Geometry { scale, margin, .. } = self.geometry;
        let mut grey = grey.enlarged(scale as usize).framed(margin as usize);
        if picture == Picture::Negated {
            for pixel in &mut grey.pixels {
                *pixel = 255 - *pixel;
            }
        }
        grey
    }
}

/// The monospaced text, and the lines of other text; nothing of a screen that has too many
/// blobs for text.
fn parts(image: &Image, areas: &Areas) -> (Vec<Cells>, Vec<Strip>) {
    let mut blobs = blobs::find(areas);
    if blobs.len() > MAX_BLOBS {
        return (Vec::new(), Vec::new());
    }
    let mut grids = terminal::grid::find(&blobs);
    for grid in &mut grids {
        grid.align(areas, &blobs);
    }
    let grids = grids.into_iter();
    let cells: Vec<Cells> = grids.filter_map(|grid| Cells::new(image, grid)).collect();
    blobs.retain(|blob| !cells.iter().any(|cells| cells.grid.contains(blob)));
    let strips = strips::find(&blobs);
    if strips.len() > MAX_STRIPS {
        return (Vec::new(), Vec::new());
    }
    (cells, strips)
}

fn shrink_factor(width: u32, height: u32) -> u32 {
    let fits = |by: &u32| {
        let (width, height) = (width.div_ceil(*by), height.div_ceil(*by));
        width.max(height) <= MAX_SIDE && u64::from(width) * u64::from(height) <= MAX_PIXELS
    };
    (1..u32::MAX).find(fits).unwrap_or(u32::MAX)
}

/// Keeps the middle one of each `by`×`by` pixels.
fn reduce(image: &Image, by: u32) -> Image {
    let (width, height) = (image.width().div_ceil(by), image.height().div_ceil(by));
    let middle = |index: u32, size: u32| (index * by + by / 2).min(size - 1);
    let pixels = (0..height).flat_map(|y| {
        let row = middle(y, image.height()) as usize * image.width() as usize;
        (0..width).map(move |x| image.pixels()[row + middle(x, image.width()) as usize])
    });
    Image::new(width, height, pixels.collect())
}

/// Stretches the contrast to the range from black to white.
fn stretch(pixels: &mut [u8]) {
    let darkest = pixels.iter().copied().min().unwrap_or(0);
    let range = pixels.iter().copied().max().unwrap_or(0) - darkest;
    if range == 0 {
        return;
    }
    for pixel in pixels {
        let stretched = u16::from(*pixel - darkest) * 255 / u16::from(range);
        *pixel = u8::try_from(stretched).unwrap_or(u8::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Image {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Image::new(width, height, pixels.map(|(x, y)| pixel(x, y)).collect())
    }

    #[test]
    fn pictures_are_enlarged_and_get_a_margin() {
        let image = image(3, 1, |x, _| [[0; 3], [0; 3], [200; 3]][x as usize]);
        let prepared = Prepared::new(&image);
        let raw = prepared.render(Picture::Raw);
        assert_eq!((raw.width, raw.height), (3 * 2 + 32, 2 + 32));
        let row = &raw.pixels[16 * raw.width..][..raw.width];
        assert_eq!(row[..16], [0; 16]);
        assert_eq!(row[16..22], [0, 0, 0, 64, 191, 255]);
        assert_eq!(row[22..], [0; 16]);
        let negative: Vec<_> = raw.pixels.iter().map(|pixel| 255 - pixel).collect();
        assert_eq!(prepared.render(Picture::Negated).pixels, negative);
    }

    #[test]
    fn dark_on_light_comes_first() {
        use Picture::{Negated, Processed, Raw};

        let small = |background, text| {
            let image = image(4, 4, |x, y| if x == y { text } else { background });
            Prepared::new(&image).pictures()
        };
        assert_eq!(small([0; 3], [90; 3]), [Negated, Raw]);
        assert_eq!(small([90; 3], [0; 3]), [Raw, Negated]);
        let flat = Prepared::new(&image(100, 100, |_, _| [0, 0, 170]));
        assert_eq!(flat.pictures()[0], Processed);
    }

    #[test]
    fn huge_pictures_are_reduced() {
        assert_eq!(shrink_factor(1, 1), 1);
        assert_eq!(shrink_factor(4096, 4096), 1);
        assert_eq!(shrink_factor(16384, 16384), 4);
        assert_eq!(shrink_factor(u32::MAX, 1), u32::MAX / 16_000 + 1);
        let prepared = Prepared::new(&image(40_001, 2, |x, _| [u8::from(x % 3 == 1); 3]));
        let raw = prepared.render(Picture::Raw);
        assert_eq!((raw.width, raw.height), (13_334 + 16, 1 + 16));
        assert_eq!(prepared.geometry().shrink, 3);
    }
}
