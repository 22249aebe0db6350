//! Mouse operations on the trace page.

use std::fs;

use fantoccini::actions::{
    InputSource as _, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
    WheelAction, WheelActions,
};
use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use serde_json::{Value, json};
use vm_tests::browser::browse;
use vm_tests::recorded::{failing_run, flooded_run, long_run};
use vm_tests::{SOON, scaled};

use super::{SELECTED, drawn, open, press, until, value};

const DOWN: PointerAction = PointerAction::Down {
    button: MOUSE_BUTTON_LEFT,
};
const UP: PointerAction = PointerAction::Up {
    button: MOUSE_BUTTON_LEFT,
};

/// The text of the tooltip.
const TOOLTIP: &str = "document.querySelector('#timeline .tip:not([hidden])')?.textContent";
const TOOLTIP_OF_3: &str = "must succeed: make test-3 — 1.00 s";

/// Opens a page of nine steps of three machines, one after the other. The page's data is changed
/// so that each takes a second.
async fn open_nine_seconds<F>(work: impl FnOnce(Client) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trace.html");
    long_run(9, 9).write_page(&path).unwrap();
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("type=\"application/json\">").unwrap();
    let (data, after) = rest.split_once("</script>").unwrap();
    let mut data: Value = serde_json::from_str(data).unwrap();
    data["took"] = json!(9000);
    for (number, step) in data["steps"].as_array_mut().unwrap().iter_mut().enumerate() {
        step["start"] = json!(1000 * number);
        step["end"] = json!(1000 * (number + 1));
    }
    let page = format!("{before}type=\"application/json\">{data}</script>{after}");
    fs::write(&path, page).unwrap();
    browse(&path, &[], work).await;
}

/// The position of the first machine's steps at a fraction of the visible time.
async fn point(page: &Client, fraction: f64) -> (f64, f64) {
    let script = "
        const canvas = document.querySelector('#timeline canvas');
        canvas.scrollIntoView({ block: 'center' });
        const { left, top, width } = canvas.getBoundingClientRect();
        return [left, top, width];
    ";
    let rectangle = page.execute(script, Vec::new()).await.unwrap();
    let [left, top, width] = [0, 1, 2].map(|side| rectangle[side].as_f64().unwrap());
    // The dimensions in `timeline.js`.
    let (names, margin, axis) = (64.0, 12.0, 22.0);
    let offset = names + fraction * (width - names - margin);
    ((left + offset).round(), (top + axis + 8.0).round())
}

fn to((x, y): (f64, f64)) -> PointerAction {
    let duration = None;
    PointerAction::MoveTo { duration, x, y }
}

async fn perform<const COUNT: usize>(page: &Client, actions: [PointerAction; COUNT]) {
    let pointer = MouseActions::new("pointer".to_owned());
    let pointer = actions.into_iter().fold(pointer, MouseActions::then);
    page.perform_actions(pointer).await.unwrap();
}

/// Turns the wheel.
async fn turn_wheel(page: &Client, (x, y): (f64, f64), (delta_x, delta_y): (i64, i64)) {
    #[expect(clippy::cast_possible_truncation, reason = "they are whole numbers")]
    let scroll = WheelAction::Scroll {
        duration: None,
        x: x as i64,
        y: y as i64,
        delta_x,
        delta_y,
    };
    let wheel = WheelActions::new("wheel".to_owned()).then(scroll);
    page.perform_actions(wheel).await.unwrap();
}

/// Turns the wheel while Ctrl is pressed.
async fn zoom(page: &Client, position: (f64, f64), delta_y: i64) {
    let value = char::from(Key::Control);
    let ctrl = KeyActions::new("keyboard".to_owned()).then(KeyAction::Down { value });
    page.perform_actions(ctrl).await.unwrap();
    turn_wheel(page, position, (0, delta_y)).await;
    page.release_actions().await.unwrap();
}

#[tokio::test]
async fn a_click_on_the_timeline_selects_a_step() {
    open_nine_seconds(async |page| {
        until(
            &page,
            &format!("{SELECTED} === 'must succeed: make test-7'"),
        )
        .await;
        let three = point(&page, 3.5 / 9.0).await;
        perform(&page, [to(three)]).await;
        assert_eq!(value(&page, TOOLTIP).await, TOOLTIP_OF_3);
        perform(&page, [DOWN, UP]).await;
        until(
            &page,
            &format!("{SELECTED} === 'must succeed: make test-3'"),
        )
        .await;
        // The machine has no step there.
        perform(&page, [to(point(&page, 4.5 / 9.0).await), DOWN, UP]).await;
        assert_eq!(value(&page, TOOLTIP).await, Value::Null);
        assert_eq!(
            value(&page, SELECTED).await,
            "must succeed: make test-3",
            "still selected"
        );
    })
    .await;
}

#[tokio::test]
async fn dragging_moves_the_timeline() {
    open_nine_seconds(async |page| {
        let all = drawn(&page).await;
        press(&page, "+").await.unwrap();
        let near = drawn(&page).await;
        // From 2.25 s to 6.75 s; dragged by a quarter of that.
        let [start, end] = [point(&page, 0.25).await, point(&page, 0.5).await];
        perform(&page, [to(start), DOWN, to(end), UP]).await;
        assert!(near != drawn(&page).await);
        perform(&page, [to(end)]).await;
        assert_eq!(
            value(&page, TOOLTIP).await,
            TOOLTIP_OF_3,
            "it moves with the pointer"
        );
        assert_eq!(value(&page, SELECTED).await, "must succeed: make test-7");

        turn_wheel(&page, end, (200, 0)).await;
        perform(&page, [to(end)]).await;
        assert_eq!(value(&page, TOOLTIP).await, Value::Null);
        perform(&page, [to((end.0 - 200.0, end.1))]).await;
        assert_eq!(
            value(&page, TOOLTIP).await,
            TOOLTIP_OF_3,
            "the wheel moves it"
        );
        press(&page, "0").await.unwrap();
        assert!(all == drawn(&page).await);
    })
    .await;
}

#[tokio::test]
async fn the_wheel_zooms_the_timeline() {
    open_nine_seconds(async |page| {
        let three = point(&page, 3.5 / 9.0).await;
        perform(&page, [to(three)]).await;
        let all = drawn(&page).await;
        // Zooming around the middle of the run would move the step out of sight.
        zoom(&page, three, -600).await;
        assert!(all != drawn(&page).await);
        perform(&page, [to(three)]).await;
        assert_eq!(
            value(&page, TOOLTIP).await,
            TOOLTIP_OF_3,
            "it stays at the pointer"
        );
        zoom(&page, three, 2000).await;
        assert!(
            all == drawn(&page).await,
            "at most the whole run is visible"
        );

        perform(&page, [to(three), DOWN, UP, DOWN, UP]).await;
        for end in [0.15, 0.85] {
            perform(&page, [to(point(&page, end).await)]).await;
            assert_eq!(
                value(&page, TOOLTIP).await,
                TOOLTIP_OF_3,
                "it fills the timeline"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_click_enlarges_a_screenshot() {
    open(&failing_run(), &[], async |page| {
        for section in ["#failure", "#details"] {
            let thumbnail = page.find(Locator::Css(&format!("{section} .shot"))).await;
            thumbnail.unwrap().click().await.unwrap();
            until(
                &page,
                "document.querySelector('#picture[open] .frame img')?.naturalWidth === 1",
            )
            .await;
            until(
                &page,
                "document.querySelector('#picture .frame i')?.title.startsWith('login:')",
            )
            .await;
            let close = page.find(Locator::Css("#picture button")).await.unwrap();
            close.click().await.unwrap();
            until(&page, "document.querySelector('dialog[open]') === null").await;
        }
    })
    .await;
}

#[tokio::test]
async fn truncated_output_is_linked() {
    open(&flooded_run(), &[], async |page| {
        let link = page.find(Locator::Css("#details .gap a")).await.unwrap();
        assert_eq!(link.text().await.unwrap(), "show all");
        let head = "document.querySelector('#details .output').textContent.startsWith('begin')";
        assert_eq!(value(&page, head).await, json!(true));
        let here = page.current_url().await.unwrap();
        let file = here.join("trace-files/output-1.txt").unwrap();
        link.click().await.unwrap();
        // A script must not run while the browser leaves the page.
        let wait = page.wait().at_most(scaled(SOON));
        wait.for_url(&file).await.unwrap();
        until(&page, "document.body?.innerText.length === 1_000_005").await;
    })
    .await;
}
