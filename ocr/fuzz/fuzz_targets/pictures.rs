//! Any bytes are a picture that survives being written, or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocr::Image;

fuzz_target!(|file: &[u8]| {
    for image in [Image::from_ppm(file), Image::from_png(file)].into_iter().flatten() {
        let pixels = u64::from(image.width()) * u64::from(image.height());
        assert_eq!(pixels, image.pixels().len() as u64);
        // Small ones only: a little file can be a large picture.
        if pixels < 1 << 16 {
            let mut png = Vec::new();
            image.write_png(&mut png).unwrap();
            assert_eq!(Image::from_png(&png), Ok(image));
        }
    }
});
