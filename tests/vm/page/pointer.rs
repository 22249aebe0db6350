//! What the pointer does on the trace page.

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

use super::{CHOSEN, drawn, look, press, until, value};

const DOWN: PointerAction = PointerAction::Down {
    button: MOUSE_BUTTON_LEFT,
};
const UP: PointerAction = PointerAction::Up {
    button: MOUSE_BUTTON_LEFT,
};

/// What the tip at the pointer says.
const TIP: &str = "document.querySelector('#timeline .tip:not([hidden])')?.textContent";
const TIP_OF_3: &str = "must succeed: make test-3 — 1.00 s";

/// Looks at nine steps of three machines, of a second each, one after the other. As they were
/// recorded, they took no time at all.
async fn look_at_nine_seconds<F>(work: impl FnOnce(Client) -> F)
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

/// Where the first machine's steps are drawn, at a fraction of the time that is to be seen.
async fn point(page: &Client, fraction: f64) -> (f64, f64) {
    let script = "
        const canvas = document.querySelector('#timeline canvas');
        canvas.scrollIntoView({ block: 'center' });
        const { left, top, width } = canvas.getBoundingClientRect();
        return [left, top, width];
    ";
    let place = page.execute(script, Vec::new()).await.unwrap();
    let [left, top, width] = [0, 1, 2].map(|side| place[side].as_f64().unwrap());
    // Beside the names, and below the axis, as `timeline.js` has it.
    let (names, margin, axis) = (64.0, 12.0, 22.0);
    let across = names + fraction * (width - names - margin);
    ((left + across).round(), (top + axis + 8.0).round())
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

/// Turns the wheel, with Ctrl.
async fn zoom(page: &Client, place: (f64, f64), delta_y: i64) {
    let value = char::from(Key::Control);
    let ctrl = KeyActions::new("keyboard".to_owned()).then(KeyAction::Down { value });
    page.perform_actions(ctrl).await.unwrap();
    turn_wheel(page, place, (0, delta_y)).await;
    page.release_actions().await.unwrap();
}

#[tokio::test]
async fn a_step_on_the_timeline_is_chosen() {
    look_at_nine_seconds(async |page| {
        until(&page, &format!("{CHOSEN} === 'must succeed: make test-7'")).await;
        let three = point(&page, 3.5 / 9.0).await;
        perform(&page, [to(three)]).await;
        assert_eq!(value(&page, TIP).await, TIP_OF_3);
        perform(&page, [DOWN, UP]).await;
        until(&page, &format!("{CHOSEN} === 'must succeed: make test-3'")).await;
        // The machine does nothing there.
        perform(&page, [to(point(&page, 4.5 / 9.0).await), DOWN, UP]).await;
        assert_eq!(value(&page, TIP).await, Value::Null);
        assert_eq!(
            value(&page, CHOSEN).await,
            "must succeed: make test-3",
            "nothing else"
        );
    })
    .await;
}

#[tokio::test]
async fn the_timeline_is_dragged() {
    look_at_nine_seconds(async |page| {
        let all = drawn(&page).await;
        press(&page, "+").await.unwrap();
        let near = drawn(&page).await;
        // From 2.25 s to 6.75 s, of which a quarter passes.
        let [from, until] = [point(&page, 0.25).await, point(&page, 0.5).await];
        perform(&page, [to(from), DOWN, to(until), UP]).await;
        assert!(near != drawn(&page).await);
        perform(&page, [to(until)]).await;
        assert_eq!(
            value(&page, TIP).await,
            TIP_OF_3,
            "it went with the pointer"
        );
        assert_eq!(value(&page, CHOSEN).await, "must succeed: make test-7");

        turn_wheel(&page, until, (200, 0)).await;
        perform(&page, [to(until)]).await;
        assert_eq!(value(&page, TIP).await, Value::Null);
        perform(&page, [to((until.0 - 200.0, until.1))]).await;
        assert_eq!(value(&page, TIP).await, TIP_OF_3, "the wheel moves it, too");
        press(&page, "0").await.unwrap();
        assert!(all == drawn(&page).await);
    })
    .await;
}

#[tokio::test]
async fn the_timeline_is_zoomed() {
    look_at_nine_seconds(async |page| {
        let three = point(&page, 3.5 / 9.0).await;
        perform(&page, [to(three)]).await;
        let all = drawn(&page).await;
        // Around the middle of all the time, it would be out of sight.
        zoom(&page, three, -600).await;
        assert!(all != drawn(&page).await);
        perform(&page, [to(three)]).await;
        assert_eq!(value(&page, TIP).await, TIP_OF_3, "it stays at the pointer");
        zoom(&page, three, 2000).await;
        assert!(all == drawn(&page).await, "no further than all of it");

        perform(&page, [to(three), DOWN, UP, DOWN, UP]).await;
        for end in [0.15, 0.85] {
            perform(&page, [to(point(&page, end).await)]).await;
            assert_eq!(value(&page, TIP).await, TIP_OF_3, "it fills the timeline");
        }
    })
    .await;
}

#[tokio::test]
async fn small_pictures_are_enlarged() {
    look(&failing_run(), &[], async |page| {
        for place in ["#failure", "#details"] {
            let thumbnail = page.find(Locator::Css(&format!("{place} .shot"))).await;
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
    look(&flooded_run(), &[], async |page| {
        let link = page.find(Locator::Css("#details .gap a")).await.unwrap();
        assert_eq!(link.text().await.unwrap(), "show all");
        let head = "document.querySelector('#details .output').textContent.startsWith('begin')";
        assert_eq!(value(&page, head).await, json!(true));
        let here = page.current_url().await.unwrap();
        let file = here.join("trace-files/output-1.txt").unwrap();
        link.click().await.unwrap();
        // No script may be under way in a page that goes.
        let wait = page.wait().at_most(scaled(SOON));
        wait.for_url(&file).await.unwrap();
        until(&page, "document.body?.innerText.length === 1_000_005").await;
    })
    .await;
}
