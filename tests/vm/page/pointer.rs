//! Mouse operations on the trace page.

use std::fs;

use serde_json::{Value, json};
use vm_tests::browser::{Page, browse};
use vm_tests::recorded::{failing_run, flooded_run, long_run};

use self::Mouse::{Down, To, Up};
use super::{SELECTED, drawn, open, press, until, value};

/// The text of the tooltip.
const TOOLTIP: &str = "document.querySelector('#timeline .tip:not([hidden])')?.textContent";
const TOOLTIP_OF_3: &str = "must succeed: make test-3 — 1.00 s";

/// Opens a page of nine steps of three machines, one after the other. The page's data is changed
/// so that each takes a second.
async fn open_nine_seconds<F>(work: impl FnOnce(Page) -> F)
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
async fn point(page: &Page, fraction: f64) -> (f64, f64) {
    let script = "
        const canvas = document.querySelector('#timeline canvas');
        canvas.scrollIntoView({ block: 'center' });
        const { left, top, width } = canvas.getBoundingClientRect();
        return [left, top, width];
    ";
    let rectangle = page.execute(script).await;
    let [left, top, width] = [0, 1, 2].map(|side| rectangle[side].as_f64().unwrap());
    // The dimensions in `timeline.js`.
    let (names, margin, axis) = (64.0, 12.0, 22.0);
    let offset = names + fraction * (width - names - margin);
    ((left + offset).round(), (top + axis + 8.0).round())
}

/// An action of the mouse.
enum Mouse {
    Down,
    Up,
    To((f64, f64)),
}

async fn perform<const COUNT: usize>(page: &Page, actions: [Mouse; COUNT]) {
    let actions = actions.map(|action| match action {
        Down => json!({ "type": "pointerDown", "button": 0 }),
        Up => json!({ "type": "pointerUp", "button": 0 }),
        To((x, y)) => json!({ "type": "pointerMove", "x": x, "y": y }),
    });
    let mouse = json!({ "pointerType": "mouse" });
    page.perform(json!({
        "type": "pointer", "id": "pointer", "parameters": mouse, "actions": &actions[..],
    }))
    .await;
}

/// Turns the wheel.
async fn turn_wheel(page: &Page, (x, y): (f64, f64), (delta_x, delta_y): (i64, i64)) {
    #[expect(clippy::cast_possible_truncation, reason = "they are whole numbers")]
    let [x, y] = [x as i64, y as i64];
    let scroll = json!({
        "type": "scroll", "x": x, "y": y, "deltaX": delta_x, "deltaY": delta_y,
    });
    page.perform(json!({ "type": "wheel", "id": "wheel", "actions": [scroll] }))
        .await;
}

/// Turns the wheel while Ctrl is pressed.
async fn zoom(page: &Page, position: (f64, f64), delta_y: i64) {
    let ctrl = json!({ "type": "keyDown", "value": "\u{e009}" });
    page.perform(json!({ "type": "key", "id": "keyboard", "actions": [ctrl] }))
        .await;
    turn_wheel(page, position, (0, delta_y)).await;
    page.release_actions().await;
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
        perform(&page, [To(three)]).await;
        assert_eq!(value(&page, TOOLTIP).await, TOOLTIP_OF_3);
        perform(&page, [Down, Up]).await;
        until(
            &page,
            &format!("{SELECTED} === 'must succeed: make test-3'"),
        )
        .await;
        // The machine has no step there.
        perform(&page, [To(point(&page, 4.5 / 9.0).await), Down, Up]).await;
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
        press(&page, "+").await;
        let near = drawn(&page).await;
        // From 2.25 s to 6.75 s; dragged by a quarter of that.
        let [start, end] = [point(&page, 0.25).await, point(&page, 0.5).await];
        perform(&page, [To(start), Down, To(end), Up]).await;
        assert!(near != drawn(&page).await);
        perform(&page, [To(end)]).await;
        assert_eq!(
            value(&page, TOOLTIP).await,
            TOOLTIP_OF_3,
            "it moves with the pointer"
        );
        assert_eq!(value(&page, SELECTED).await, "must succeed: make test-7");

        turn_wheel(&page, end, (200, 0)).await;
        perform(&page, [To(end)]).await;
        assert_eq!(value(&page, TOOLTIP).await, Value::Null);
        perform(&page, [To((end.0 - 200.0, end.1))]).await;
        assert_eq!(
            value(&page, TOOLTIP).await,
            TOOLTIP_OF_3,
            "the wheel moves it"
        );
        press(&page, "0").await;
        assert!(all == drawn(&page).await);
    })
    .await;
}

#[tokio::test]
async fn the_wheel_zooms_the_timeline() {
    open_nine_seconds(async |page| {
        let three = point(&page, 3.5 / 9.0).await;
        perform(&page, [To(three)]).await;
        let all = drawn(&page).await;
        // Zooming around the middle of the run would move the step out of sight.
        zoom(&page, three, -600).await;
        assert!(all != drawn(&page).await);
        perform(&page, [To(three)]).await;
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

        perform(&page, [To(three), Down, Up, Down, Up]).await;
        for end in [0.15, 0.85] {
            perform(&page, [To(point(&page, end).await)]).await;
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
            let thumbnail = page.find(&format!("{section} .shot")).await;
            thumbnail.click().await;
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
            let close = page.find("#picture button").await;
            close.click().await;
            until(&page, "document.querySelector('dialog[open]') === null").await;
        }
    })
    .await;
}

#[tokio::test]
async fn truncated_output_is_linked() {
    open(&flooded_run(), &[], async |page| {
        let link = page.find("#details .gap a").await;
        assert_eq!(link.text().await, "show all");
        let head = "document.querySelector('#details .output').textContent.startsWith('begin')";
        assert_eq!(value(&page, head).await, json!(true));
        let here = page.url().await;
        let (dir, _) = here.rsplit_once('/').unwrap();
        link.click().await;
        // A script must not run while the browser leaves the page.
        page.wait_for_url(&format!("{dir}/trace-files/output-1.txt"))
            .await;
        until(&page, "document.body?.innerText.length === 1_000_005").await;
    })
    .await;
}
