//! What the pointer does on the trace page.

use std::time::Duration;

use fantoccini::actions::{
    InputSource as _, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
    WheelAction, WheelActions,
};
use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use serde_json::json;
use vm_tests::recorded::{failing_run, flooded_run, long_run};

use super::{CHOSEN, drawn, look, press, until, value};

const DOWN: PointerAction = PointerAction::Down {
    button: MOUSE_BUTTON_LEFT,
};
const UP: PointerAction = PointerAction::Up {
    button: MOUSE_BUTTON_LEFT,
};

fn by(x: f64) -> PointerAction {
    let (duration, y) = (None, 0.0);
    PointerAction::MoveBy { duration, x, y }
}

/// A place on the first machine's lane of the timeline, in the middle of the time.
async fn middle(page: &Client) -> (i64, i64) {
    let canvas = "document.querySelector('#timeline canvas')";
    let script = format!(
        "{canvas}.scrollIntoView({{ block: 'center' }});
         const {{ left, top, width }} = {canvas}.getBoundingClientRect();
         return [Math.round(left + width / 2), Math.round(top + 31)];"
    );
    let place = page.execute(&script, Vec::new()).await.unwrap();
    serde_json::from_value(place).unwrap()
}

/// Goes to the middle, and does something there.
async fn point(page: &Client, actions: &[PointerAction]) {
    let (x, y) = middle(page).await;
    #[expect(clippy::cast_precision_loss, reason = "a screen is small")]
    let there = PointerAction::MoveTo {
        duration: None,
        x: x as f64,
        y: y as f64,
    };
    let mouse = MouseActions::new("mouse".to_owned()).then(there);
    let mouse = actions.iter().cloned().fold(mouse, MouseActions::then);
    page.perform_actions(mouse).await.unwrap();
}

/// Turns the wheel in the middle.
async fn turn_wheel(page: &Client, (delta_x, delta_y): (i64, i64)) {
    let (x, y) = middle(page).await;
    let mut wheel = WheelActions::new("wheel".to_owned());
    wheel.push(WheelAction::Scroll {
        duration: Some(Duration::ZERO),
        x,
        y,
        delta_x,
        delta_y,
    });
    page.perform_actions(wheel).await.unwrap();
}

#[tokio::test]
async fn a_step_on_the_timeline_is_chosen() {
    look(&long_run(10_000, 0), &[], async |page| {
        until(&page, &format!("{CHOSEN}?.endsWith('-9998')")).await;
        point(&page, &[]).await;
        let tip = "document.querySelector('#timeline .tip:not([hidden])')?.textContent";
        until(&page, &format!("{tip}?.startsWith('must succeed: make')")).await;
        point(&page, &[DOWN, UP]).await;
        until(&page, &format!("!{CHOSEN}?.endsWith('-9998')")).await;
        // The first machine's are the multiples of three.
        let number = value(&page, &format!("Number({CHOSEN}.split('-')[1])")).await;
        let number = number.as_u64().unwrap();
        assert!(number.is_multiple_of(3), "{number}");
        assert!((1_000..9_000).contains(&number), "{number}");
    })
    .await;
}

#[tokio::test]
async fn the_timeline_is_zoomed_and_moved() {
    look(&long_run(10_000, 0), &[], async |page| {
        until(&page, &format!("{CHOSEN}?.endsWith('-9998')")).await;
        let all = drawn(&page).await;
        let ctrl = KeyAction::Down {
            value: Key::Control.into(),
        };
        let ctrl = KeyActions::new("keyboard".to_owned()).then(ctrl);
        page.perform_actions(ctrl).await.unwrap();
        turn_wheel(&page, (0, -300)).await;
        page.release_actions().await.unwrap();
        let near = drawn(&page).await;
        assert!(all != near, "Ctrl and the wheel zoom");

        point(&page, &[DOWN, by(60.0), by(60.0), UP]).await;
        let moved = drawn(&page).await;
        assert!(near != moved, "it is dragged");
        assert_eq!(
            value(&page, &format!("{CHOSEN}?.endsWith('-9998')")).await,
            true
        );
        point(&page, &[DOWN, by(-60.0), by(-60.0), UP]).await;
        assert!(near == drawn(&page).await, "and back");

        turn_wheel(&page, (200, 0)).await;
        assert!(near != drawn(&page).await, "the wheel moves it sideways");

        press(&page, "0").await.unwrap();
        assert!(all == drawn(&page).await);
        point(&page, &[DOWN, UP, DOWN, UP]).await;
        let step = drawn(&page).await;
        press(&page, "0").await.unwrap();
        assert!(
            step != drawn(&page).await,
            "a double click fills it with a step"
        );
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
async fn what_was_cut_is_a_click_away() {
    look(&flooded_run(), &[], async |page| {
        let link = page.find(Locator::Css("#details .gap a")).await.unwrap();
        assert_eq!(link.text().await.unwrap(), "all of it");
        let head = "document.querySelector('#details .output').textContent.startsWith('begin')";
        assert_eq!(value(&page, head).await, json!(true));
        link.click().await.unwrap();
        until(
            &page,
            "location.pathname.endsWith('/trace-files/output-1.txt')",
        )
        .await;
        let whole = "document.body.innerText.length";
        assert_eq!(value(&page, whole).await, json!(1_000_005));
    })
    .await;
}
