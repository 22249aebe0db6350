//! The pointer.

use ocr::Place;
use serde_json::{Value, json};

use crate::error::{ErrorKind, Result};
use crate::guest::waiting::{Look, pause};
use crate::machine::Machine;

/// QEMU's absolute axes go from 0 to this (`INPUT_EVENT_ABS_MAX`).
const AXIS_MAX: u64 = 0x7fff;

/// A button of the pointer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// The primary one.
    Left,
    /// The wheel, pressed.
    Middle,
    /// The secondary one.
    Right,
    /// The wheel, turned away by a notch.
    WheelUp,
    /// The wheel, turned towards one by a notch.
    WheelDown,
}

impl Button {
    /// As QEMU's `InputButton` is spelled.
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
/// It is put where it is to be, which takes a machine with a tablet: `-device
/// virtio-tablet-pci`, or `-usb -device usb-tablet`.
impl Machine {
    /// Moves the pointer to a pixel of the screen, counted from its upper left
    /// corner.
    ///
    /// # Errors
    /// [`BadArgument`](ErrorKind::BadArgument) if it is not on the screen;
    /// [`Pointer`](ErrorKind::Pointer) if the machine has no tablet.
    pub async fn move_pointer(&self, x: u32, y: u32) -> Result<()> {
        self.step(&format!("moving the pointer to {x}, {y}"), async {
            let screen = self.take_picture().await?;
            let (width, height) = (screen.width(), screen.height());
            if x >= width || y >= height {
                let reason = format!("{x}, {y} is not on a screen of {width}×{height} pixels");
                return Err(self.bad_argument("moving the pointer", reason));
            }
            self.require_tablet().await?;
            self.input(json!([axis("x", x, width), axis("y", y, height)]))
                .await
        })
        .await
    }

    /// Presses a button where the pointer is, and lets it go.
    pub async fn click(&self, button: Button) -> Result<()> {
        self.step(&format!("clicking the {} button", button.name()), async {
            self.check_conditions().await?;
            for down in [true, false] {
                let data = json!({ "button": button.name(), "down": down });
                self.input(json!([{ "type": "btn", "data": data }])).await?;
                pause(self.key_delay).await;
            }
            Ok(())
        })
        .await
    }

    /// Waits until the regular expression `pattern` matches text on the screen,
    /// within a line, and clicks into the middle of it: of the uppermost, if
    /// there are several. Gives where it was.
    ///
    /// # Errors
    /// As [`wait_for_text`](Self::wait_for_text) and
    /// [`move_pointer`](Self::move_pointer).
    pub async fn click_text(&self, pattern: &str) -> Result<Place> {
        let what = format!("{pattern} to click at");
        self.step(&format!("waiting for {what}"), async {
            let found = self.wait(&what, |_| async {
                let places = self.find_text(pattern).await?;
                let uppermost = places.into_iter().min_by_key(|place| (place.y, place.x));
                Ok(uppermost.map_or_else(|| Look::NotYet("other text".to_owned()), Look::Done))
            });
            let place = self.with_screen(found.await).await?;
            let (x, y) = place.center();
            self.move_pointer(x, y).await?;
            self.click(Button::Left).await?;
            Ok(place)
        })
        .await
    }

    async fn require_tablet(&self) -> Result<()> {
        let pointers = self.qmp("query-mice", Value::Null).await?;
        let pointers = pointers.as_array().map_or(&[][..], Vec::as_slice);
        if pointers.iter().any(|pointer| pointer["absolute"] == true) {
            return Ok(());
        }
        Err(self.error(ErrorKind::Pointer))
    }

    async fn input(&self, events: Value) -> Result<()> {
        let sent = self.qmp("input-send-event", json!({ "events": events }));
        sent.await.map(drop)
    }
}

/// The middle of a pixel on an axis of so many.
fn axis(name: &str, pixel: u32, pixels: u32) -> Value {
    let (pixel, pixels) = (u64::from(pixel), u64::from(pixels));
    let value = (2 * pixel + 1) * AXIS_MAX / (2 * pixels);
    json!({ "type": "abs", "data": { "axis": name, "value": value } })
}
