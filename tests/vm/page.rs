//! The trace page in a browser. The runs are recorded without machines.

/// Mouse operations on the timeline, screenshots and links.
mod pointer;

use machine::report::Recorder;
use serde_json::{Value, json};
use vm_tests::browser::{Page, browse};
use vm_tests::recorded::{HOSTILE, failing_run, long_run};
use vm_tests::{SOON, scaled};

/// Opens a run's page in a browser.
async fn open<F>(run: &Recorder, arguments: &[&str], work: impl FnOnce(Page) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("trace.html");
    run.write_page(&page).unwrap();
    browse(&page, arguments, work).await;
}

/// The value of an expression in the page.
async fn value(page: &Page, expression: &str) -> Value {
    let script = format!("return {expression};");
    page.execute(&script).await
}

/// Waits until an expression is true in the page.
async fn until(page: &Page, expression: &str) {
    let script = format!(
        "const [done] = arguments;
         const poll = () => ({expression}) ? done(true) : requestAnimationFrame(poll);
         poll();"
    );
    let result = page.execute_async(&script);
    let result = tokio::time::timeout(scaled(SOON), result).await;
    assert_eq!(result.unwrap(), json!(true), "{expression}");
}

/// Presses the keys of these characters, one after the other.
async fn press(page: &Page, keys: &str) {
    let strokes = keys
        .chars()
        .flat_map(|key| ["keyDown", "keyUp"].map(|action| json!({ "type": action, "value": key })));
    let strokes: Vec<Value> = strokes.collect();
    page.perform(json!({ "type": "key", "id": "keyboard", "actions": strokes }))
        .await;
}

async fn text(page: &Page, css: &str) -> String {
    page.find(css).await.text().await
}

/// The characters of keys in the protocol of browsers' drivers.
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// The description of the selected step.
const SELECTED: &str = "document.querySelector('#tree .chosen .what')?.textContent";

#[tokio::test]
async fn the_failure_is_at_the_top() {
    open(&failing_run(), &[], async |page| {
        assert_eq!(text(&page, "#outcome").await, "failed");
        let failure = text(&page, "#failure").await;
        for part in [
            "subtest: the client reaches it",
            "client: must succeed: curl",
            "    (7)",
            "line 7",
            "</script><script>",
        ] {
            assert!(failure.contains(part), "no {part} in {failure}");
        }
        assert_eq!(failure.matches("    (7)").count(), 1, "repeated: {failure}");
        until(
            &page,
            "document.querySelector('#failure img').naturalWidth === 1",
        )
        .await;
        until(&page, &format!("{SELECTED} === 'must succeed: curl'")).await;
        let details = text(&page, "#details").await;
        assert!(details.contains("exit code 7"), "{details}");
        assert!(details.contains("curl: (7) no route"), "{details}");
        assert_eq!(
            value(&page, "document.querySelectorAll('#tabs button').length").await,
            2
        );
        until(&page, "document.querySelector('#lines .during') !== null").await;
    })
    .await;
}

#[tokio::test]
async fn keys_select_steps() {
    open(&failing_run(), &[], async |page| {
        let selected = async |what: &str| until(&page, &format!("{SELECTED} === {what:?}")).await;
        selected("must succeed: curl").await;
        press(&page, "kkkk").await;
        selected("waiting for unit nginx.service").await;
        let console = "document.querySelector('#tabs [aria-selected=true]').textContent";
        until(&page, &format!("{console} === 'server'")).await;
        press(&page, "j").await;
        selected("the screen").await;
        // The screenshot is enlarged, with a frame around a word, and closed.
        press(&page, "p").await;
        until(
            &page,
            "document.querySelector('#picture[open] .frame i')?.title === 'login: (95 % sure)'",
        )
        .await;
        press(&page, ESCAPE).await;
        until(&page, "document.querySelector('dialog[open]') === null").await;

        press(&page, "f").await;
        selected("must succeed: curl").await;
        press(&page, "?").await;
        until(&page, "document.querySelector('#help[open]') !== null").await;
    })
    .await;
}

#[tokio::test]
async fn steps_are_searched_and_groups_closed() {
    open(&failing_run(), &[], async |page| {
        let selected = async |what: &str| until(&page, &format!("{SELECTED} === {what:?}")).await;
        press(&page, "/active").await;
        until(
            &page,
            "document.getElementById('found').textContent === '1 step, 0 lines'",
        )
        .await;
        until(
            &page,
            "document.querySelectorAll('#tree .row').length === 2",
        )
        .await;
        press(&page, ENTER).await;
        selected("waiting for unit nginx.service").await;
        let marked = "document.querySelector('#details mark').textContent";
        assert_eq!(value(&page, marked).await, "active");
        press(&page, ESCAPE).await;
        until(
            &page,
            "document.querySelectorAll('#tree .row').length === 6",
        )
        .await;

        press(&page, "f").await;
        selected("must succeed: curl").await;
        // A group is closed and opened.
        press(&page, "kk").await;
        selected("subtest: the client reaches it").await;
        press(&page, ENTER).await;
        until(
            &page,
            "document.querySelectorAll('#tree .row').length === 4",
        )
        .await;
        press(&page, ENTER).await;
        until(
            &page,
            "document.querySelectorAll('#tree .row').length === 6",
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn enter_visits_all_matches() {
    open(&failing_run(), &[], async |page| {
        let step = format!("{SELECTED} === 'waiting for unit nginx.service'");
        let line = "document.querySelector('#lines .chosen')\
                    ?.textContent.endsWith('Started nginx.service')";
        press(&page, "/nginx").await;
        until(
            &page,
            "document.getElementById('found').textContent === '1 step, 1 line'",
        )
        .await;
        for matching in [&step, line, &step, line] {
            press(&page, ENTER).await;
            until(&page, matching).await;
            let is_line = matching == line;
            until(&page, &format!("{is_line} === Boolean({line})")).await;
        }
        press(&page, ESCAPE).await;
        press(&page, "f").await;
        until(&page, &format!("!{line}")).await;
        // Only a console contains the text.
        press(&page, "/Started").await;
        let tabs = page.find_all("#tabs button").await;
        for tab in tabs {
            press(&page, ENTER).await;
            until(&page, line).await;
            // In a newly selected console, the search begins at its first line.
            tab.click().await;
            until(&page, &format!("!{line}")).await;
            press(&page, "/").await;
        }
        press(&page, ENTER).await;
        until(&page, line).await;
    })
    .await;
}

/// The image of the timeline after pending changes are drawn.
async fn drawn(page: &Page) -> Value {
    let script = "
        const done = arguments[0];
        const canvas = document.querySelector('#timeline canvas');
        requestAnimationFrame(() => requestAnimationFrame(() => done(canvas.toDataURL())));
    ";
    page.execute_async(script).await
}

#[tokio::test]
async fn keys_switch_consoles() {
    open(&failing_run(), &[], async |page| {
        let console = "document.querySelector('#tabs [aria-selected=true]').textContent";
        let first = value(&page, console).await;
        press(&page, "[").await;
        assert_ne!(first, value(&page, console).await);
        press(&page, "]").await;
        assert_eq!(first, value(&page, console).await);
    })
    .await;
}

#[tokio::test]
async fn a_console_line_selects_its_step() {
    open(&failing_run(), &[], async |page| {
        until(&page, "document.querySelector('#tree .chosen') !== null").await;
        page.execute("document.querySelectorAll('#tabs button')[0].click()")
            .await;
        until(
            &page,
            "document.querySelector('#lines .row')?.textContent.includes('nginx')",
        )
        .await;
        let its_step_is_selected = format!("{SELECTED} === 'waiting for unit nginx.service'");
        let lines = "document.getElementById('lines')";
        page.execute(&format!("{lines}.focus()")).await;
        press(&page, ENTER).await;
        until(&page, &its_step_is_selected).await;

        press(&page, "f").await;
        until(&page, &format!("!({its_step_is_selected})")).await;
        // Rows may be replaced at any time, so each script looks its row up again.
        page.execute("document.querySelectorAll('#tabs button')[0].click()")
            .await;
        until(
            &page,
            &format!("{lines}.querySelector('.row')?.textContent.includes('nginx')"),
        )
        .await;
        page.execute(&format!("{lines}.querySelector('.row').click()"))
            .await;
        until(&page, &its_step_is_selected).await;
    })
    .await;
}

#[tokio::test]
async fn guest_output_is_shown_as_text() {
    open(&failing_run(), &[], async |page| {
        until(&page, "document.querySelector('#tree .chosen') !== null").await;
        press(&page, "k").await;
        until(&page, &format!("{SELECTED} === 'ip route'")).await;
        let shown = value(
            &page,
            "document.querySelector('#details .output').textContent",
        )
        .await;
        let escaped = HOSTILE
            .replace("\u{1b}[2J", "·")
            .replace('\0', "\\x00")
            .replace('\u{202e}', "\\u{202e}");
        assert_eq!(shown, escaped);
        assert_eq!(page.title().await, "web");
        let markup = "document.querySelectorAll('b, img[src=x]').length + document.scripts.length";
        assert_eq!(value(&page, markup).await, 2, "the page's own scripts");
    })
    .await;
}

/// The brightness of the page: the sum of its background's red, green and blue.
async fn brightness(page: &Page) -> u64 {
    let rgb = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g)";
    let sum = value(page, &format!("{rgb}.map(Number).reduce((a, b) => a + b)")).await;
    sum.as_u64().unwrap()
}

#[tokio::test]
async fn a_dark_color_scheme_is_followed() {
    let run = failing_run();
    open(&run, &[], async |page| {
        assert!(brightness(&page).await > 600);
    })
    .await;
    let dark = ["--blink-settings=preferredColorScheme=0"];
    open(&run, &dark, async |page| {
        assert!(brightness(&page).await < 150);
    })
    .await;
}

#[tokio::test]
async fn a_page_with_ten_thousand_steps_is_usable() {
    open(&long_run(10_000, 100_000), &[], async |page| {
        until(&page, &format!("{SELECTED} === 'must succeed: make test-9998'")).await;
        press(&page, "j").await;
        until(&page, &format!("{SELECTED} === 'must succeed: make test-9999'")).await;
        let rows = value(&page, "document.querySelectorAll('.row').length").await;
        assert!(rows.as_u64().unwrap() < 300, "{rows}");

        // Zooms in and out.
        let all = drawn(&page).await;
        press(&page, "+").await;
        assert!(all != drawn(&page).await);
        press(&page, "0").await;
        assert!(all == drawn(&page).await);

        press(&page, "/unit-99999").await;
        until(&page, "document.getElementById('found').textContent === '0 steps, 1 line'").await;
        press(&page, ESCAPE).await;
        let end = "document.querySelector('#lines').scrollTop = 1e9";
        page.execute(end).await;
        until(&page, "[...document.querySelectorAll('#lines .row')].at(-1).textContent.includes('unit-99999')").await;
    })
    .await;
}
