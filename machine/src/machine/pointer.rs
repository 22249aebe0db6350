//! The pointer.

use ocr::Rect;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Machine;
use crate::error::{ErrorKind, Result};
use crate::guest::waiting::{Probe, pause};
use crate::instance::Monitors;

/// The greatest value of QEMU's absolute axes (`INPUT_EVENT_ABS_MAX`).
const AXIS_MAX: u64 = 0x7fff;

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
            let position = json!([axis("x", x, width), axis("y", y, height)]);
            self.on_qemu("moving the pointer", async |monitors| monitors.input(position).await)
                .await
        })
        .await
    }

    /// Presses a button at the pointer's position and releases it after a pause, the
    /// handle's [key delay](Self::key_delay).
    ///
    /// # Cancellation
    /// Dropping the future ends the pause: a button that was pressed is released.
    pub async fn click(&self, button: Button) -> Result<()> {
        let name = button.name();
        let doing = format!("clicking the {name} button");
        self.step(&doing, async {
            self.check_conditions().await?;
            let instance = self.instance(&doing)?;
            let (vm, doing) = (self.clone(), doing.clone());
            let dropped = CancellationToken::new();
            let _guard = dropped.clone().drop_guard();
            self.to_completion(async move {
                vm.on_instance(&instance, &doing, async |monitors| {
                    let pressed = monitors.button(name, true).await;
                    dropped.run_until_cancelled(pause(vm.key_delay)).await;
                    // Also if the press failed: QEMU may have received it.
                    let released = monitors.button(name, false).await;
                    dropped.run_until_cancelled(pause(vm.key_delay)).await;
                    pressed.and(released)
                })
                .await
            })
            .await
        })
        .await
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

    async fn require_tablet(&self) -> Result<()> {
        let pointers = self.qmp("query-mice", Value::Null).await?;
        let pointers = pointers.as_array().map_or(&[][..], Vec::as_slice);
        if pointers.iter().any(|pointer| pointer["absolute"] == true) {
            return Ok(());
        }
        Err(self.error(ErrorKind::Pointer))
    }
}

impl Monitors<'_> {
    async fn input(&self, events: Value) -> Result<(), ErrorKind> {
        let sent = self.qmp("input-send-event", json!({ "events": events }));
        sent.await.map(drop)
    }

    async fn button(&self, name: &str, down: bool) -> Result<(), ErrorKind> {
        let data = json!({ "button": name, "down": down });
        self.input(json!([{ "type": "btn", "data": data }])).await
    }
}

/// The middle of a pixel on an axis of `pixels`.
fn axis(name: &str, pixel: u32, pixels: u32) -> Value {
    let (pixel, pixels) = (u64::from(pixel), u64::from(pixels));
    let value = (2 * pixel + 1) * AXIS_MAX / (2 * pixels);
    json!({ "type": "abs", "data": { "axis": name, "value": value } })
}
