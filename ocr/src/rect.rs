//! Where things are on a picture.

/// A rectangle of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Of the leftmost column, in pixels from the picture's left edge.
    pub x: u32,
    /// Of the uppermost row, in pixels from the picture's upper edge.
    pub y: u32,
    /// In pixels, at least 1; ends within the picture.
    pub width: u32,
    /// In pixels, at least 1; ends within the picture.
    pub height: u32,
}

impl Place {
    /// The pixel in the middle, where one would click: column and row.
    pub fn center(&self) -> (u32, u32) {
        (self.x + self.width / 2, self.y + self.height / 2)
    }

    /// The smallest one that has both in it.
    pub(crate) fn with(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.width).max(other.x + other.width);
        let bottom = (self.y + self.height).max(other.y + other.height);
        Self {
            x,
            y,
            width: right - x,
            height: bottom - y,
        }
    }
}
