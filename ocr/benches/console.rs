//! The time to read a console, and to detect that a picture is not one.

use std::hint::black_box;

use divan::Bencher;
use ocr::Image;
use ocr::console::{Font, Fonts, vga_text};

fn main() {
    divan::main();
}

/// Real screens, from `corpus/console`: text modes and framebuffer consoles.
const SCREENS: [&str; 2] = ["text-shell", "framebuffer-shell"];

#[divan::bench(args = SCREENS)]
fn read(bencher: Bencher<'_, '_>, name: &str) {
    let image = screen(name);
    let fonts = Fonts::host();
    assert!(fonts.read(&image).is_some(), "{name} is not read");
    bencher.bench_local(|| fonts.read(black_box(&image)));
}

/// A desktop: many colours and no grid.
#[divan::bench]
fn refuse(bencher: Bencher<'_, '_>) {
    let (width, height) = (1280, 800);
    let pixels = (0..width * height).map(|i: u32| {
        let [x, y, z, _] = i.wrapping_mul(2_654_435_761).to_le_bytes();
        [x, y, z]
    });
    let image = Image::from_rgb(width, height, pixels.collect()).expect("a picture");
    let fonts = Fonts::host();
    assert!(fonts.read(&image).is_none());
    bencher.bench_local(|| fonts.read(black_box(&image)));
}

/// The work of the first call of `Fonts::host`.
#[divan::bench(sample_count = 10)]
fn load_host_fonts() -> Fonts {
    let mut fonts = Fonts::new();
    fonts.add_rom("/usr/share/seabios/vgabios-stdvga.bin".as_ref());
    fonts.add_directory("/usr/share/consolefonts".as_ref());
    fonts
}

#[divan::bench]
fn find_fonts_in_rom(bencher: Bencher<'_, '_>) {
    let rom = std::fs::read("/usr/share/seabios/vgabios-stdvga.bin").expect("a VGA's ROM");
    bencher.bench_local(|| Font::from_vga_rom(black_box(&rom)));
}

#[divan::bench]
fn text_memory(bencher: Bencher<'_, '_>) {
    let memory = b"x\x07".repeat(0x4000);
    bencher.bench_local(|| vga_text(black_box(&memory), 80, 25, 0x3f00));
}

fn screen(name: &str) -> Image {
    let file = format!("{}/corpus/console/{name}.png", env!("CARGO_MANIFEST_DIR"));
    Image::open(file).expect("a picture")
}
