//! What goes in as PPM comes out as PNG, and nothing that goes in does harm.

use std::io::Cursor;

use ocr::Image;
use proptest::prelude::*;

/// A file with these pixels, as `screendump` writes it.
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
    fn garbage_is_refused(file: Vec<u8>) {
        prop_assert!(Image::from_ppm(&file).is_err());
    }

    #[test]
    fn almost_a_picture_does_no_harm(file in "P6[ \n#0-9]{0,30}[ -~]{0,30}") {
        let _ = Image::from_ppm(file.as_bytes());
    }

    #[test]
    fn a_cut_file_is_refused((width, height, pixels) in picture(), cut: prop::sample::Index) {
        let file = ppm(width, height, &pixels);
        prop_assert!(Image::from_ppm(&file[..cut.index(file.len())]).is_err());
    }
}

#[test]
fn a_writer_that_fails_is_told_of() {
    let image = Image::from_ppm(&ppm(1, 1, &[[1, 2, 3]])).unwrap();
    let error = image.write_png(&mut [0; 10][..]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WriteZero);
}
