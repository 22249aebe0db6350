//! What is drawn beside and around text: icons, and the frames of buttons and input fields.

use crate::blobs::Blob;

/// The least size of an icon or a frame, in pixels.
const MIN_SIDE: usize = 10;

/// Whether it may be an icon: a picture of several colours that is about as high as wide. So
/// are a few letters that touch, if their edges are smoothed in the colours of an LCD.
pub(super) fn is_picture(blob: &Blob) -> bool {
    blob.is_picture && is_square(blob)
}

/// Whether it is about as high as wide, and large enough for an icon.
pub(super) fn is_square(blob: &Blob) -> bool {
    let (width, height) = (blob.width(), blob.height());
    let (short, long) = (width.min(height), width.max(height));
    short >= MIN_SIDE && long <= 2 * short
}

/// Whether it is a rectangle around other blobs, or an empty one.
pub(super) fn is_frame(blob: &Blob, blobs: &[Blob]) -> bool {
    let area = blob.width() * blob.height();
    let encloses = |other: &Blob| {
        other.left > blob.left
            && other.right < blob.right
            && other.top > blob.top
            && other.bottom < blob.bottom
    };
    blob.width().min(blob.height()) >= MIN_SIDE
        && (blob.pixels * 8 <= area || blob.pixels * 2 <= area && blobs.iter().any(encloses))
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn blob([left, top, right, bottom]: [usize; 4], pixels: usize) -> Blob {
        Blob {
            left,
            top,
            right,
            bottom,
            area: 0,
            shape: 0,
            pixels,
            is_colorful: false,
            is_picture: false,
        }
    }

    #[test]
    fn what_is_around_text_is_a_frame() {
        let button = blob([0, 0, 80, 30], 900);
        let letter = blob([20, 10, 27, 20], 30);
        assert!(is_frame(&button, &[button.clone(), letter.clone()]));
        assert!(!is_frame(&button, from_ref(&button)));
        assert!(!is_frame(&letter, &[button.clone(), letter.clone()]));
        let empty_field = blob([0, 0, 200, 30], 460);
        assert!(is_frame(&empty_field, &[]));
    }

    #[test]
    fn icons_are_squares_of_several_colours() {
        let icon = Blob {
            is_picture: true,
            ..blob([0, 0, 16, 14], 200)
        };
        assert!(is_picture(&icon) && is_square(&icon));
        let line = Blob { right: 90, ..icon };
        assert!(!is_picture(&line));
        assert!(!is_square(&blob([0, 0, 8, 8], 30)));
    }
}
