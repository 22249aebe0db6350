//! Moving the pointer and clicking.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Monitors, monitor_error};
use crate::error::{ErrorKind, Result};
use crate::guest::waiting::pause;
use crate::host::completion::to_completion;

/// The greatest value of QEMU's absolute axes (`INPUT_EVENT_ABS_MAX`).
const AXIS_MAX: u64 = 0x7fff;

/// The QMP command.
const SEND: &str = "input-send-event";

impl Monitors<'_> {
    /// Moves the pointer to a pixel of a screen of this size.
    ///
    /// # Errors
    /// [`Pointer`](ErrorKind::Pointer) if the machine has no tablet.
    pub(crate) async fn move_pointer(
        &self,
        (x, y): (u32, u32),
        (width, height): (u32, u32),
    ) -> Result<(), ErrorKind> {
        let pointers = self.qmp("query-mice", Value::Null).await?;
        let mut pointers = pointers.as_array().into_iter().flatten();
        if !pointers.any(|pointer| pointer["absolute"] == true) {
            return Err(ErrorKind::Pointer);
        }
        let position = json!({ "events": [axis("x", x, width), axis("y", y, height)] });
        self.qmp(SEND, position).await.map(drop)
    }

    /// Presses a button and releases it after a pause of `hold`; pauses once more. If the
    /// future is dropped, a button that was pressed is released at once.
    pub(crate) async fn click(
        &self,
        doing: &str,
        button: &'static str,
        hold: Duration,
    ) -> Result<(), ErrorKind> {
        let qmp = self.instance.qmp.clone();
        let dropped = CancellationToken::new();
        let _guard = dropped.clone().drop_guard();
        let clicked = to_completion(async move {
            let pressed = qmp.execute(SEND, button_event(button, true)).await;
            dropped.run_until_cancelled(pause(hold)).await;
            // Also if the press failed: QEMU may have received it.
            let released = qmp.execute(SEND, button_event(button, false)).await;
            dropped.run_until_cancelled(pause(hold)).await;
            pressed.and(released)
        });
        let with_pauses = Self {
            limit: self.limit.saturating_add(hold.saturating_mul(2)),
            ..*self
        };
        with_pauses
            .answer(doing, async {
                let clicked = clicked.await.map(drop);
                clicked.map_err(|source| monitor_error(doing, source))
            })
            .await
    }
}

fn button_event(button: &str, down: bool) -> Value {
    let data = json!({ "button": button, "down": down });
    json!({ "events": [{ "type": "btn", "data": data }] })
}

/// The middle of a pixel on an axis of `pixels`.
fn axis(name: &str, pixel: u32, pixels: u32) -> Value {
    let (pixel, pixels) = (u64::from(pixel), u64::from(pixels));
    let value = (2 * pixel + 1) * AXIS_MAX / (2 * pixels);
    json!({ "type": "abs", "data": { "axis": name, "value": value } })
}
