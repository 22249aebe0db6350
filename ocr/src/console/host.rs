//! The fonts of the machine this runs on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::font::Font;
use super::fonts::Fonts;

/// Where distributions put PSF fonts: Debian (package `console-setup-linux`), Arch
/// and SUSE, Fedora, NixOS (`kbd`).
const FONT_DIRECTORIES: [&str; 4] = [
    "/usr/share/consolefonts",
    "/usr/share/kbd/consolefonts",
    "/usr/lib/kbd/consolefonts",
    "/run/current-system/sw/share/consolefonts",
];

/// Where QEMU's VGA ROM is: Debian (package `seabios`), QEMU's own place, a build
/// of one's own, Fedora, NixOS.
const ROMS: [&str; 5] = [
    "/usr/share/seabios/vgabios-stdvga.bin",
    "/usr/share/qemu/vgabios-stdvga.bin",
    "/usr/local/share/qemu/vgabios-stdvga.bin",
    "/usr/share/seavgabios/vgabios-stdvga.bin",
    "/run/current-system/sw/share/qemu/vgabios-stdvga.bin",
];

/// Larger files are no fonts.
const LARGEST_FONT: u64 = 1 << 21;

/// A ROM is small, a kernel is not.
const LARGEST_ROM: u64 = 1 << 28;

impl Fonts {
    /// The fonts this machine has, loaded on the first call and kept: those in the
    /// VGA ROM that comes with QEMU and those in the distribution's directory of
    /// console fonts, in its usual places. What is missing is not there, what is
    /// damaged is left out, with a warning; without any font no screen is read.
    ///
    /// Loading takes about 60 ms (half a second in a debug build): the 456 fonts of
    /// Debian's `console-setup-linux` are 6 MB.
    pub fn host() -> &'static Self {
        static HOST: OnceLock<Fonts> = OnceLock::new();
        HOST.get_or_init(|| {
            let mut fonts = Self::new();
            // They all have the same fonts.
            ROMS.iter().any(|rom| fonts.add_rom(Path::new(rom)) > 0);
            for directory in FONT_DIRECTORIES {
                fonts.add_directory(Path::new(directory));
            }
            fonts
        })
    }

    /// Adds the PSF fonts in `directory`, not in directories below it: files that
    /// end in `.psf` or `.psfu`, or in that and `.gz`, in the order of their names.
    /// A file that is no font or cannot be read is left out, with a warning.
    ///
    /// Returns how many fonts were added; a directory that is not there has none.
    pub fn add_directory(&mut self, directory: &Path) -> usize {
        let mut files = match psf_files(directory) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return 0,
            Err(error) => {
                let directory = directory.display();
                tracing::warn!(%directory, %error, "console fonts cannot be listed");
                return 0;
            }
        };
        // Fonts are told apart by which came first: that must not depend on the disk.
        files.sort_unstable();
        let fonts = files.iter().filter_map(|file| {
            let font = read(file, LARGEST_FONT)
                .and_then(|bytes| Font::from_psf(&bytes).map_err(io::Error::other));
            font.inspect_err(|error| skipped(file, error)).ok()
        });
        fonts.inspect(|font| self.add(font)).count()
    }

    /// Adds the fonts in the VGA ROM `file`, or in a Linux kernel that is not
    /// compressed (see [`Font::from_vga_rom`]). One without fonts, or that cannot be
    /// read, is left out, with a warning.
    ///
    /// Returns how many fonts were added; a file that is not there has none.
    pub fn add_rom(&mut self, file: &Path) -> usize {
        let rom = match read(file, LARGEST_ROM) {
            Ok(rom) => rom,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return 0,
            Err(error) => {
                skipped(file, &error);
                return 0;
            }
        };
        let fonts = Font::from_vga_rom(&rom);
        if fonts.is_empty() {
            skipped(file, &io::Error::other("no VGA font found in it"));
        }
        fonts.iter().inspect(|font| self.add(font)).count()
    }
}

fn skipped(file: &Path, error: &io::Error) {
    tracing::warn!(file = %file.display(), %error, "console font left out");
}

fn psf_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file = entry?.path();
        let is_gzipped = file.extension().is_some_and(|extension| extension == "gz");
        let name = if is_gzipped {
            file.with_extension("")
        } else {
            file.clone()
        };
        let extension = name.extension();
        if extension.is_some_and(|extension| extension == "psf" || extension == "psfu") {
            files.push(file);
        }
    }
    Ok(files)
}

fn read(file: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(file)?;
    // Reading a pipe or a device may never end.
    if !metadata.is_file() || metadata.len() > largest {
        return Err(io::Error::other("not a file, or too large"));
    }
    fs::read(file)
}
