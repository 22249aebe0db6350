//! The pointer.

use ocr::Rect;

use super::Machine;
use crate::error::Result;
use crate::guest::waiting::Probe;

/// A button of the pointing device.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// The primary one.
    Left,
    /// The wheel, pressed.
    Middle,
    /// The secondary one.
    Right,
    /// The wheel, turned away from the user by a notch.
    WheelUp,
    /// The wheel, turned towards the user by a notch.
    WheelDown,
}

impl Button {
    /// The name in QEMU's `InputButton`.
    fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Middle => "middle",
            Self::Right => "right",
            Self::WheelUp => "wheel-up",
            Self::WheelDown => "wheel-down",
        }
    }
}

/// # The pointer
///
/// Its position is absolute, which requires a tablet: `-device virtio-tablet-pci`, or
/// `-usb -device usb-tablet`.
impl Machine {
    /// Moves the pointer to a pixel of the screen, counted from its upper left
    /// corner.
    ///
    /// # Errors
    /// [`BadArgument`](crate::ErrorKind::BadArgument) if it is not on the screen;
    /// [`Pointer`](crate::ErrorKind::Pointer) if the machine has no tablet.
    pub async fn move_pointer(&self, x: u32, y: u32) -> Result<()> {
        let doing = "moving the pointer";
        self.step(&format!("{doing} to {x}, {y}"), async {
            let screen = self.take_picture().await?;
            let size @ (width, height) = (screen.width(), screen.height());
            if x >= width || y >= height {
                let reason = format!("{x}, {y} is not on a screen of {width}×{height} pixels");
                return Err(self.bad_argument(doing, reason));
            }
            self.on_qemu(doing, async |monitors| {
                monitors.move_pointer((x, y), size).await
            })
            .await
        })
        .await
    }

    /// Presses a button at the pointer's position and releases it after a pause, the
    /// handle's [key delay](Self::with_key_delay).
    ///
    /// # Cancellation
    /// Dropping the future ends the pause: a button that was pressed is released.
    pub async fn click(&self, button: Button) -> Result<()> {
        let name = button.name();
        let doing = format!("clicking the {name} button");
        let clicked = self.on_qemu(&doing, async |monitors| {
            monitors.click(&doing, name, self.key_delay).await
        });
        self.step(&doing, clicked).await
    }

    /// Waits until the regular expression `pattern` matches text on the screen,
    /// within a line, and clicks the middle of the uppermost match. Returns its
    /// rectangle.
    ///
    /// # Errors
    /// As [`wait_for_text`](Self::wait_for_text) and
    /// [`move_pointer`](Self::move_pointer).
    pub async fn click_text(&self, pattern: &str) -> Result<Rect> {
        let what = format!("{pattern} to click at");
        self.step(&format!("waiting for {what}"), async {
            let found = self.wait(&what, |_| async {
                let matches = self.find_text(pattern).await?;
                let uppermost = matches.into_iter().min_by_key(|rect| (rect.y, rect.x));
                Ok(uppermost.map_or_else(|| Probe::Pending("other text".to_owned()), Probe::Ready))
            });
            let rect = self.with_screen(found.await).await?;
            let (x, y) = rect.center();
            self.move_pointer(x, y).await?;
            self.click(Button::Left).await?;
            Ok(rect)
        })
        .await
    }
}
