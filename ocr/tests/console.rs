//! Consoles of real guests are read without an error, and nothing else is read.
//!
//! The pictures in `console/` are screendumps of QEMU. Their texts were read from the
//! guest's `/dev/vcsu1`; those of `*-all-characters` were printed; that of the firmware is
//! from the VGA's text memory. The fonts are the host's: Debian's packages
//! `console-setup-linux` and `seabios`.

#[path = "console/others.rs"]
mod others;
#[path = "console/pictures.rs"]
mod pictures;
#[path = "console/properties.rs"]
mod properties;

use std::io::Read;

use flate2::read::GzDecoder;
use ocr::Rect;
use ocr::console::{CellSize, Font, Fonts, vga_screen, vga_text};

use pictures::{Canvas, data, image, text};

#[track_caller]
fn assert_reads(name: &str, fonts: &Fonts, (width, height): (u32, u32)) {
    let screen = fonts.read(&image(name));
    let screen = screen.unwrap_or_else(|| panic!("{name} is not read"));
    assert_eq!(screen.text(), text(name), "{name}");
    assert_eq!(screen.cell(), CellSize { width, height }, "{name}");
    assert_eq!(screen.unknown(), 0, "{name}");
}

/// The VGA's own fonts and fonts that the guest has loaded, cells 9 pixels wide.
#[test]
fn text_modes() {
    for (name, height) in [
        ("seabios", 16),
        ("text-shell", 16),
        ("text-all-characters", 16),
        ("text-colours-cursor", 16),
        ("text-fixed16", 16),
        ("text-512-glyphs", 16),
        ("text-80x50-shell", 8),
        ("text-80x50-all-characters", 8),
    ] {
        assert_reads(name, Fonts::host(), (9, height));
    }
}

/// The kernel's own font, nearly the VGA's, and fonts that the guest has loaded.
#[test]
fn framebuffer_consoles() {
    for (name, size) in [
        ("framebuffer-640x480-boot", (8, 16)),
        ("framebuffer-shell", (8, 16)),
        ("framebuffer-fixed18", (8, 18)),
        ("framebuffer-terminus12x6", (6, 12)),
        ("framebuffer-terminus-bold20x10", (10, 20)),
        ("framebuffer-terminus24x12", (12, 24)),
        ("framebuffer-terminus32x16", (16, 32)),
        ("framebuffer-vga28x16", (16, 28)),
    ] {
        assert_reads(name, Fonts::host(), size);
    }
}

/// The host's fonts do not contain 22 signs of the kernel's font.
#[test]
fn missing_characters_are_learnt_from_a_guest() {
    let name = "framebuffer-cursor";
    let screen = Fonts::host().read(&image(name)).unwrap();
    assert_eq!(screen.unknown(), 2);
    assert_eq!(screen.text(), text(name).replace(['½', 'µ'], "�"));

    let name = "framebuffer-all-characters";
    assert_eq!(Fonts::host().read(&image(name)), None);
    let rows: Vec<_> = text(name).lines().map(str::to_owned).collect();
    let size = CellSize {
        width: 8,
        height: 16,
    };
    let font = Font::learn(&image(name), size, &rows);
    assert_eq!(font.chars().count(), 238);

    // Alone, added to other fonts, and added to a font of ASCII.
    let mut alone = Fonts::new();
    alone.add(&font);
    let mut all = Fonts::host().clone();
    all.add(&font);
    let ascii: String = (' '..='~').collect();
    let mut extended = Font::learn(&image(name), size, &[&ascii]);
    extended.extend(&font);
    let mut of_extended = Fonts::new();
    of_extended.add(&extended);
    for fonts in [&alone, &all, &of_extended] {
        assert_reads(name, fonts, (8, 16));
        assert_reads("framebuffer-shell", fonts, (8, 16));
    }
    assert_reads("framebuffer-cursor", &all, (8, 16));
    assert_reads("framebuffer-block-cursor", &all, (8, 16));
}

/// The host's Terminus has another `~`: the face with the kernel's glyphs is used.
#[test]
fn the_face_with_most_glyphs_is_used() {
    let name = "framebuffer-kernel16x32";
    let screen = Fonts::host().read(&image(name)).unwrap();
    assert_eq!(screen.text(), text(name).replace('~', "�"));

    let name = "framebuffer-kernel16x32-all-characters";
    let rows: Vec<_> = text(name).lines().map(str::to_owned).collect();
    let size = CellSize {
        width: 16,
        height: 32,
    };
    let mut fonts = Fonts::host().clone();
    fonts.add(&Font::learn(&image(name), size, &rows));
    assert_reads(name, &fonts, (16, 32));
    assert_reads("framebuffer-kernel16x32", &fonts, (16, 32));
}

#[test]
fn a_font_is_learnt_from_a_vga() {
    let name = "text-all-characters";
    let rows: Vec<_> = text(name).lines().map(str::to_owned).collect();
    let size = CellSize {
        width: 9,
        height: 16,
    };
    let font = Font::learn(&image(name), size, &rows);
    let mut fonts = Fonts::new();
    fonts.add(&font);
    assert_reads(name, &fonts, (9, 16));
    assert_reads("text-shell", &fonts, (9, 16));
    let invalid = CellSize {
        width: 0,
        height: u32::MAX,
    };
    assert_eq!(Font::learn(&image(name), invalid, &rows).chars().count(), 0);
}

#[test]
fn text_memory() {
    let mut memory = Vec::new();
    let file = data("text-shell.b8000.gz");
    GzDecoder::new(&*file).read_to_end(&mut memory).unwrap();
    // The kernel has scrolled by 14 rows.
    let screen = vga_text(&memory, 80, 25, 14 * 80);
    assert_eq!(screen.text(), text("text-shell"));
    let scrollback = vga_text(&memory, 80, 14, 0).text();
    assert!(
        scrollback.contains("Debian GNU/Linux 12 systemd tty1"),
        "{scrollback}"
    );
    // The picture shows the position.
    let screen = vga_screen(&image("text-shell"), &memory).unwrap();
    assert_eq!(screen.text(), text("text-shell"));
    let cell = CellSize {
        width: 9,
        height: 16,
    };
    assert_eq!((screen.cell(), screen.unknown()), (cell, 0));
    for other in ["seabios", "text-80x50-shell", "framebuffer-shell"] {
        assert_eq!(vga_screen(&image(other), &memory), None, "{other}");
    }
}

#[test]
fn text_is_found_at_its_cells() {
    let screen = Fonts::host().read(&image("seabios")).unwrap();
    let areas: Vec<_> = screen.find("Boot failed").collect();
    let area = |row: u32| Rect {
        x: 0,
        y: 16 * row,
        width: 9 * 11,
        height: 16,
    };
    assert_eq!(areas, [2, 5, 8].map(area));
    assert_eq!(screen.columns(), 80);
    assert_eq!(screen.rows().len(), 25);
    assert!(screen.rows().iter().all(|row| row.chars().count() == 80));
}

#[test]
fn an_unknown_cell_is_marked_and_too_many_are_not_a_console() {
    let mut canvas = Canvas::of(&image("text-shell"));
    canvas.scatter(9 * 20, 16 * 3, 9, 16);
    let screen = Fonts::host().read(&canvas.image()).unwrap();
    assert_eq!(screen.unknown(), 1);
    assert_eq!(screen.rows()[3].chars().nth(20), Some('�'));

    canvas.scatter(0, 100, 720, 200);
    assert_eq!(Fonts::host().read(&canvas.image()), None);
}

#[test]
fn a_logo_is_blank() {
    let mut canvas = Canvas::of(&image("framebuffer-shell"));
    canvas.fill(0, 0, 1024, 80, [0; 3]);
    canvas.scatter(0, 0, 160, 80);
    let screen = Fonts::host().read(&canvas.image()).unwrap();
    let below: Vec<_> = text("framebuffer-shell")
        .lines()
        .skip(5)
        .map(str::to_owned)
        .collect();
    assert_eq!(screen.text(), format!("\n\n\n\n\n{}", below.join("\n")));
    assert_eq!(screen.unknown(), 0);
}

#[test]
fn without_fonts_nothing_is_read() {
    assert!(Fonts::new().is_empty());
    assert_eq!(Fonts::new().read(&image("text-shell")), None);
}

#[test]
fn files_that_are_not_fonts_are_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut fonts = Fonts::new();
    assert_eq!(fonts.add_directory(&path("missing")), 0);
    assert_eq!(fonts.add_rom(&path("missing")), 0);

    let mut font = b"\x36\x04\x00\x08".to_vec();
    font.extend((0..=u8::MAX).flat_map(|glyph| [glyph; 8]));
    std::fs::write(path("good.psf"), &font).unwrap();
    std::fs::write(path("named-otherwise.txt"), &font).unwrap();
    std::fs::write(path("cut.psfu"), &font[..2000]).unwrap();
    std::fs::write(path("no-gzip.psf.gz"), b"\x1f\x8bno").unwrap();
    std::fs::create_dir(path("directory.psf")).unwrap();
    assert_eq!(fonts.add_directory(directory.path()), 1);
    assert_eq!(fonts.add_rom(&path("good.psf")), 0);
    let size = CellSize {
        width: 8,
        height: 8,
    };
    assert!(fonts.sizes().eq([size]));
}

#[test]
fn the_rom_has_three_fonts() {
    let rom = std::fs::read("/usr/share/seabios/vgabios-stdvga.bin").unwrap();
    let fonts = Font::from_vga_rom(&rom);
    let sizes: Vec<_> = fonts
        .iter()
        .map(|font| (font.size().width, font.size().height))
        .collect();
    assert_eq!(sizes, [(8, 8), (8, 14), (8, 16)]);
    // They are found at any offset, but not if they are cut off.
    let moved = [&[0xff; 4321][..], &rom].concat();
    assert_eq!(Font::from_vga_rom(&moved), fonts);
    assert_eq!(Font::from_vga_rom(&rom[..rom.len() / 2]), []);
    for byte in [0, 0xff] {
        assert_eq!(Font::from_vga_rom(&vec![byte; 20_000]), []);
    }
}
