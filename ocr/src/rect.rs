//! Rectangles of a picture.

/// A rectangle of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers construct it, and a rectangle is a position and a size"
)]
pub struct Rect {
    /// Distance of the left column from the picture's left edge, in pixels.
    pub x: u32,
    /// Distance of the top row from the picture's upper edge, in pixels.
    pub y: u32,
    /// In pixels, at least 1.
    pub width: u32,
    /// In pixels, at least 1.
    pub height: u32,
}

impl Rect {
    /// Column and row of the pixel in the middle, where a click hits the rectangle.
    pub fn center(&self) -> (u32, u32) {
        (self.x + self.width / 2, self.y + self.height / 2)
    }

    /// Whether both are at the same height: one overlaps the other by more than a half.
    pub(crate) fn is_beside(self, other: Self) -> bool {
        let bottom = (self.y + self.height).min(other.y + other.height);
        bottom.saturating_sub(self.y.max(other.y)) * 2 > self.height.min(other.height)
    }

    /// Whether the middles of both are at nearly the same height.
    pub(crate) fn has_middle_of(self, other: Self) -> bool {
        let middle = |rect: Self| 2 * rect.y + rect.height;
        middle(self).abs_diff(middle(other)) * 2 <= self.height.min(other.height)
    }

    /// The smallest rectangle that contains both.
    pub(crate) fn union(self, other: Self) -> Self {
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
