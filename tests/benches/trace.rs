//! The size of a long run's trace page, and the time until a browser shows it:
//! `cargo xtask bench trace`.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::error::Error;
use std::time::Instant;

use vm_tests::browser::browse;
use vm_tests::recorded::long_run;

const STEPS: usize = 10_000;
const LINES: usize = 100_000;
const ROUNDS: usize = 5;

/// Milliseconds until the page and its script were loaded, and until the first paint.
const LOADED: &str = "const [page] = performance.getEntriesByType('navigation');
    const paint = performance.getEntriesByName('first-contentful-paint')[0];
    return [page.loadEventEnd, paint ? paint.startTime : 0];";

/// Milliseconds from a key to the frame after it.
const NEXT_STEP: &str = "const done = arguments[0];
    const begin = performance.now();
    document.dispatchEvent(new KeyboardEvent('keydown', { key: 'k' }));
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin)));";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` only checks that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let start = Instant::now();
    let run = long_run(STEPS, LINES);
    println!(
        "{STEPS} steps, {LINES} lines: recorded in {:.2?}",
        start.elapsed()
    );
    let dir = tempfile::tempdir()?;
    let page = dir.path().join("trace.html");
    let start = Instant::now();
    run.write_page(&page)?;
    let size = page.metadata()?.len();
    println!("written in {:.2?}: {} kB", start.elapsed(), size / 1000);
    for _ in 0..ROUNDS {
        browse(&page, &[], async |page| {
            let loaded = page.execute(LOADED).await;
            let next = page.execute_async(NEXT_STEP).await;
            println!(
                "loaded after {:.0} ms, painted after {:.0} ms; the next step in {:.0} ms",
                loaded[0].as_f64().unwrap_or(f64::NAN),
                loaded[1].as_f64().unwrap_or(f64::NAN),
                next.as_f64().unwrap_or(f64::NAN)
            );
        })
        .await;
    }
    Ok(())
}
