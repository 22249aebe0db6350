//! The fonts of the host.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::font::Font;
use super::fonts::Fonts;

/// The directories of PSF fonts on Debian (package `console-setup-linux`), on Arch and
/// SUSE, on Fedora, and on NixOS (package `kbd` each).
const FONT_DIRECTORIES: [&str; 4] = [
    "/usr/share/consolefonts",
    "/usr/share/kbd/consolefonts",
    "/usr/lib/kbd/consolefonts",
    "/run/current-system/sw/share/consolefonts",
];

/// QEMU's VGA ROM on Debian (package `seabios`), in QEMU's default directory, in that of
/// a local build, on Fedora, and on NixOS.
const ROMS: [&str; 5] = [
    "/usr/share/seabios/vgabios-stdvga.bin",
    "/usr/share/qemu/vgabios-stdvga.bin",
    "/usr/local/share/qemu/vgabios-stdvga.bin",
    "/usr/share/seavgabios/vgabios-stdvga.bin",
    "/run/current-system/sw/share/qemu/vgabios-stdvga.bin",
];

/// The largest font file in bytes.
const LARGEST_FONT: u64 = 1 << 21;

/// The largest ROM or kernel in bytes.
const LARGEST_ROM: u64 = 1 << 28;

impl Fonts {
    /// The fonts of the host: those in QEMU's VGA ROM and in the directories of console
    /// fonts, at the paths that distributions use. Missing files are ignored; damaged
    /// ones are skipped with a warning. Without any font, no screen can be read.
    ///
    /// The first call loads the fonts, which takes about 60 ms (half a second in a debug
    /// build): the 456 fonts of Debian's `console-setup-linux` have 6 MB.
    pub fn host() -> &'static Self {
        static HOST: OnceLock<Fonts> = OnceLock::new();
        HOST.get_or_init(|| {
            let mut fonts = Self::new();
            // All ROMs contain the same fonts.
            ROMS.iter().any(|rom| fonts.add_rom(Path::new(rom)) > 0);
            for directory in FONT_DIRECTORIES {
                fonts.add_directory(Path::new(directory));
            }
            fonts
        })
    }

    /// Adds the PSF fonts in `directory`, but not in its subdirectories: files named
    /// `*.psf` or `*.psfu`, or one of these and `.gz`, in the order of their names. A file
    /// that is not a font or cannot be read is skipped with a warning.
    ///
    /// Returns the number of fonts added, 0 for a directory that does not exist.
    pub fn add_directory(&mut self, directory: &Path) -> usize {
        let mut files = match psf_files(directory) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return 0,
            Err(error) => {
                let directory = directory.display();
                tracing::warn!(%directory, %error, "cannot list the console fonts");
                return 0;
            }
        };
        // The order of fonts decides ties: it must not depend on the file system.
        files.sort_unstable();
        let fonts = files.iter().filter_map(|file| {
            let font = read(file, LARGEST_FONT)
                .and_then(|bytes| Font::from_psf(&bytes).map_err(io::Error::other));
            font.inspect_err(|error| warn_skipped(file, error)).ok()
        });
        fonts.inspect(|font| self.add(font)).count()
    }

    /// Adds the fonts in a VGA ROM or an uncompressed Linux kernel (see
    /// [`Font::from_vga_rom`]). A file that has no fonts or cannot be read is skipped
    /// with a warning.
    ///
    /// Returns the number of fonts added, 0 for a file that does not exist.
    pub fn add_rom(&mut self, file: &Path) -> usize {
        let rom = match read(file, LARGEST_ROM) {
            Ok(rom) => rom,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return 0,
            Err(error) => {
                warn_skipped(file, &error);
                return 0;
            }
        };
        let fonts = Font::from_vga_rom(&rom);
        if fonts.is_empty() {
            warn_skipped(file, &io::Error::other("no VGA font found"));
        }
        fonts.iter().inspect(|font| self.add(font)).count()
    }
}

fn warn_skipped(file: &Path, error: &io::Error) {
    tracing::warn!(file = %file.display(), %error, "console font skipped");
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
    // Reading a pipe or a device may block forever.
    if !metadata.is_file() || metadata.len() > largest {
        return Err(io::Error::other("not a regular file, or too large"));
    }
    fs::read(file)
}
