//! Text consoles, read exactly.
//!
//! A text console is a grid of cells, and in each cell is a glyph of a font that is
//! known: no need to guess, as one must with any other picture. [`Fonts::read`]
//! finds the grid and looks the cells up, in milliseconds and without Tesseract.
//!
//! ```no_run
//! use ocr::Image;
//! use ocr::console::Fonts;
//!
//! let image = Image::from_ppm(&std::fs::read("screendump.ppm")?)?;
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
//!   framebuffer console, from the upper left corner of the picture; what is left
//!   over at its right and lower edge is not looked at.
//! - Any two colours per cell, so coloured and inverse text as well.
//! - The character under a cursor of any shape. A VGA's hides a part of it; where
//!   another character differs in that part only, it reads as unknown.
//!
//! Each cell is one character. A cell of one colour is a space: full blocks (`█`)
//! cannot be told from a coloured background. Where one glyph stands
//! for several characters (Latin A, Cyrillic А), [`Fonts`] says which is read. Where a
//! glyph is another one with its colours swapped (`▀` and `▄`), the background is
//! taken to be the colour of most blank cells. A single bar at the foot of a cell (`⎽`,
//! `▁` or `‗`) is taken for the cursor on a blank. But in a font whose underscore is
//! the lowest row of the cell (Debian's 8×8 one on a framebuffer), the kernel's
//! underline cursor is exactly that and reads as `_`, and a half-block cursor, where a
//! guest asks for one, as `▄`.
//!
//! # The kernel's own fonts
//!
//! A framebuffer console that no `setfont` has touched shows fonts that are in the
//! kernel. Of its 8×16 one (Linux 6.1, compared on a guest's screen), 41 glyphs of
//! code page 437 differ from the VGA's, `0MTVWXYZfmvwx` among them; Debian's package
//! `console-setup-linux` has all the ASCII and all but these:
//! `Ç ç Å æ ₧ ƒ ª º ½ ¼ π Σ µ Φ Θ ± ⌡ ÷ · ⁿ ² ■`. The last one is also what the kernel
//! shows for any character that it has no glyph for. Of its 16×32 one, for large
//! screens, `` ` ``, `~` and `ε` are missing. They read as `�` until the font is
//! [learnt](Font::learn) from a guest or [found](Font::from_vga_rom) in its kernel.
//!
//! # What counts as a console
//!
//! Letters, digits and such signs (`#$%&?@`) in the places of a grid, in one font of
//! at least one size: nothing else on a screen looks like that. Lines and blocks
//! count for nothing, as every desktop has some. For one cell that is not known,
//! there must be ten of those; unknown cells are read as U+FFFD (`�`). A picture
//! within the topmost 80 pixels (1600 of them or more) is the kernel's logo and reads
//! as blank. So a blank screen is no console, nor one with nothing but a cursor or
//! `> `.

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
