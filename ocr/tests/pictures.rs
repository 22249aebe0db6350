//! Pictures read from PPM files are the same as PNG files, and damaged files are errors.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::io::Cursor;

use ocr::{DecodeError, Image, OpenError};
use proptest::prelude::*;

/// A file with these pixels in the form of `screendump`.
fn ppm(width: u32, height: u32, pixels: &[[u8; 3]]) -> Vec<u8> {
    let header = format!("P6\n{width} {height}\n255\n");
    [header.as_bytes(), pixels.as_flattened()].concat()
}

fn picture() -> impl Strategy<Value = (u32, u32, Vec<[u8; 3]>)> {
    (1..20_u32, 1..20_u32).prop_flat_map(|(width, height)| {
        let count = (width * height) as usize;
        let pixels = prop::collection::vec(any::<[u8; 3]>(), count);
        (Just(width), Just(height), pixels)
    })
}

proptest! {
    #[test]
    fn every_pixel_survives((width, height, pixels) in picture()) {
        let image = Image::from_ppm(&ppm(width, height, &pixels)).unwrap();
        prop_assert_eq!((image.width(), image.height()), (width, height));
        prop_assert_eq!(image.pixels(), &pixels[..]);

        let mut file = Vec::new();
        image.write_png(&mut file).unwrap();
        let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
        prop_assert_eq!(reader.info().size(), (width, height));
        prop_assert_eq!(
            reader.output_color_type(),
            (png::ColorType::Rgb, png::BitDepth::Eight)
        );
        let mut decoded = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut decoded).unwrap();
        prop_assert_eq!(&decoded, pixels.as_flattened());
    }

    #[test]
    fn pictures_are_the_same_after_writing_and_reading_png((width, height, pixels) in picture()) {
        let image = Image::from_ppm(&ppm(width, height, &pixels)).unwrap();
        let mut file = Vec::new();
        image.write_png(&mut file).unwrap();
        prop_assert_eq!(Image::from_png(&file), Ok(image));
    }

    #[test]
    fn a_broken_png_file_is_accepted_or_refused(
        (width, height, pixels) in picture(),
        cut: prop::sample::Index,
        wrong: prop::sample::Index,
        byte: u8,
    ) {
        let image = Image::from_ppm(&ppm(width, height, &pixels)).unwrap();
        let mut file = Vec::new();
        image.write_png(&mut file).unwrap();
        *wrong.get_mut(&mut file) = byte;
        let _ = Image::from_png(&file);
        let _ = Image::from_png(&file[..cut.index(file.len())]);
    }

    #[test]
    fn garbage_is_refused(file: Vec<u8>) {
        prop_assert!(Image::from_ppm(&file).is_err());
    }

    #[test]
    fn almost_a_picture_is_accepted_or_refused(file in "P6[ \n#0-9]{0,30}[ -~]{0,30}") {
        let _ = Image::from_ppm(file.as_bytes());
    }

    #[test]
    fn a_cut_file_is_refused((width, height, pixels) in picture(), cut: prop::sample::Index) {
        let file = ppm(width, height, &pixels);
        prop_assert!(Image::from_ppm(&file[..cut.index(file.len())]).is_err());
    }
}

#[test]
fn the_error_of_a_writer_is_returned() {
    let image = Image::from_ppm(&ppm(1, 1, &[[1, 2, 3]])).unwrap();
    let error = image.write_png(&mut [0; 10][..]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WriteZero);
}

/// A PNG file of these samples, row by row, written by the `png` crate.
fn png_file(
    color: png::ColorType,
    depth: png::BitDepth,
    size: (u32, u32),
    samples: &[u8],
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size.0, size.1);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette(&[10, 20, 30, 40, 50, 60][..]);
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    file
}

#[test]
fn png_files_of_every_kind_are_read() {
    use png::{BitDepth::*, ColorType::*};

    let read = |color, depth, samples: &[u8]| {
        let image = Image::from_png(&png_file(color, depth, (2, 1), samples)).unwrap();
        image.pixels().to_vec()
    };
    assert_eq!(read(Grayscale, One, &[0x40]), [[0; 3], [255; 3]]);
    assert_eq!(read(Grayscale, Sixteen, &[7, 9, 8, 9]), [[7; 3], [8; 3]]);
    assert_eq!(read(GrayscaleAlpha, Eight, &[7, 0, 8, 9]), [[7; 3], [8; 3]]);
    assert_eq!(read(Indexed, One, &[0x40]), [[10, 20, 30], [40, 50, 60]]);
    assert_eq!(
        read(Rgba, Eight, &[1, 2, 3, 0, 4, 5, 6, 255]),
        [[1, 2, 3], [4, 5, 6]]
    );
}

#[test]
fn hostile_png_files_are_refused() {
    assert!(matches!(Image::from_png(b""), Err(DecodeError::Png { .. })));
    assert!(matches!(
        Image::from_png(b"P6 1 1"),
        Err(DecodeError::Png { .. })
    ));
    let file = png_file(png::ColorType::Rgb, png::BitDepth::Eight, (1, 1), &[0; 3]);
    // Changes the size in the header, and its checksum.
    let resized = |width: u32, height: u32| {
        let mut file = file.clone();
        file[16..20].copy_from_slice(&width.to_be_bytes());
        file[20..24].copy_from_slice(&height.to_be_bytes());
        let checksum = crc(&file[12..29]);
        file[29..33].copy_from_slice(&checksum.to_be_bytes());
        Image::from_png(&file)
    };
    assert!(resized(1, 1).is_ok());
    assert_eq!(
        resized(16384, 16384),
        Err(DecodeError::TooLarge {
            width: 16384,
            height: 16384,
            limit: 1 << 26
        })
    );
    let error = resized(8192, 8192).unwrap_err();
    assert!(error.to_string().contains("8192×8192 pixels in"), "{error}");
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc: u32, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

#[test]
fn pictures_are_made_of_their_pixels() {
    let pixels = vec![[1, 2, 3], [4, 5, 6]];
    let image = Image::from_rgb(2, 1, pixels.clone()).unwrap();
    assert_eq!((image.width(), image.height()), (2, 1));
    assert_eq!(image.pixels(), pixels);
    for (width, height, got) in [(1, 1, 2), (2, 2, 2), (0, 2, 0), (0, 0, 0)] {
        assert_eq!(
            Image::from_rgb(width, height, pixels[..got].to_vec()),
            Err(DecodeError::PixelCount { width, height, got })
        );
    }
    assert!(matches!(
        Image::from_rgb(u32::MAX, u32::MAX, pixels),
        Err(DecodeError::TooLarge { .. })
    ));
}

#[test]
fn files_of_both_formats_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("picture");
    assert!(matches!(Image::open(&path), Err(OpenError::Read { .. })));

    let image = Image::from_rgb(1, 1, vec![[1, 2, 3]]).unwrap();
    std::fs::write(&path, ppm(1, 1, &[[1, 2, 3]])).unwrap();
    assert_eq!(Image::open(&path).unwrap(), image);
    image
        .write_png(std::fs::File::create(&path).unwrap())
        .unwrap();
    assert_eq!(Image::open(&path).unwrap(), image);

    std::fs::write(&path, "P6 1 1").unwrap();
    assert!(matches!(
        Image::open(&path),
        Err(OpenError::Decode {
            source: DecodeError::Header { .. },
            ..
        })
    ));
}
