//! Exact reading of text consoles.
//!
//! A text console is a grid of cells, each with a glyph of a known font, so it can be read
//! without guessing. [`Fonts::read`] finds the grid and looks up its cells, in milliseconds
//! and without Tesseract.
//!
//! ```no_run
//! use ocr::Image;
//! use ocr::console::Fonts;
//!
//! let image = Image::open("screendump.ppm")?;
//! match Fonts::host().read(&image) {
//!     Some(console) => println!("{}", console.text()),
//!     None => println!("not a text console"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is read
//!
//! - A VGA's text modes, whose cells are 9 or 8 pixels wide, and the Linux kernel's
//!   framebuffer console, from the upper left corner of the picture. Pixels at the right
//!   and lower edge that do not fill a cell are ignored.
//! - Any two colours per cell, including inverse text.
//! - The character under a cursor of any shape. A VGA's cursor hides a part of the
//!   character; if another character differs only in that part, the cell is unknown.
//!
//! Each cell is one character. A cell of one colour is a space: a full block (`█`) looks
//! like a coloured background. For glyphs that stand for several characters (Latin A,
//! Cyrillic А), see [`Fonts`]. Where a glyph is the inverse of another one (`▀` and `▄`), the
//! background is assumed to be the colour of most blank cells. A single bar at the bottom
//! of a cell (`⎽`, `▁` or `‗`) is assumed to be the cursor on a blank. But in a font whose
//! underscore is the lowest row of the cell (Debian's 8×8 font on a framebuffer), the
//! kernel's underline cursor looks the same and is read as `_`, and a half-block cursor, if
//! the guest chooses one, as `▄`.
//!
//! # The kernel's own fonts
//!
//! A framebuffer console shows a font that is part of the kernel until `setfont` loads
//! another one. In the kernel's 8×16 font (Linux 6.1, compared on a guest's screen), 41
//! glyphs of code page 437 differ from the VGA's, among them `0MTVWXYZfmvwx`. Debian's
//! package `console-setup-linux` contains all of ASCII, but not these:
//! `Ç ç Å æ ₧ ƒ ª º ½ ¼ π Σ µ Φ Θ ± ⌡ ÷ · ⁿ ² ■`. The last one is also shown for any
//! character without a glyph. Of the kernel's 16×32 font, for large screens, `` ` ``, `~` and
//! `ε` are missing. These characters are read as `�` until the font is
//! [learnt](Font::learn) from a guest or [found](Font::from_vga_rom) in its kernel.
//!
//! # What counts as a console
//!
//! Letters, digits and some signs (`#$%&?@`) in the cells of a grid, in one font of at
//! least one size: nothing else on a screen looks like that. Lines and blocks do not
//! count, because they occur on any desktop. For each unknown cell there must be ten such
//! characters; it is read as U+FFFD (`�`). A picture in the topmost 80 pixels, of at least
//! 1600 pixels, is the kernel's logo and is read as blank. So a blank screen is not a
//! console, nor is one that shows only a cursor or `> `.

mod bitmap;
mod cell_size;
mod cp437;
mod cursor;
mod font;
mod fonts;
mod grid;
mod host;
mod learn;
mod picture;
mod psf;
mod read;
mod rom;
mod text;
mod text_console;
mod vga;

pub use cell_size::CellSize;
pub use font::Font;
pub use fonts::Fonts;
pub use psf::FontError;
pub use text::Text;
pub use text_console::TextConsole;
pub use vga::{VGA_TEXT_MEMORY, has_vga_text_size, vga_screen, vga_text};
