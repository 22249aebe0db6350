//! Takes the screenshots of the desktop in `ocr/corpus`, and writes their text:
//! `cargo run --package vm-tests --example corpus`.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use machine::Machine;
use vm_tests::builder;

/// The output that the terminals show: a name, and the command that prints it.
const SHOWN: [(&str, &str); 4] = [
    ("files", "ls -l /etc | sed -n '2,22p'"),
    (
        "processes",
        "ps -o pid,user,stat,lstart,args --ppid 2 -p 2 --deselect | head -20",
    ),
    (
        "units",
        "systemctl --no-pager --plain --no-legend list-units --type=service | head -20",
    ),
    (
        "journal",
        "journalctl --no-pager --no-hostname -o short-iso -b | sed -n '1,18p'",
    ),
];

/// Terminals that fill the screen: a name, arguments of xterm, the output shown.
const TERMINALS: [(&str, &str, &str); 6] = [
    ("light", "-bg white -fg black", "files"),
    ("dark", "-bg black -fg gray90", "processes"),
    (
        "bitmap-light",
        "-fa '' -fn fixed -bg white -fg black",
        "units",
    ),
    (
        "bitmap-dark",
        "-fa '' -fn fixed -bg black -fg white",
        "journal",
    ),
    ("large-dark", "-fs 16 -bg '#002b36' -fg '#eee8d5'", "files"),
    ("small-light", "-fs 9 -bg '#fdf6e3' -fg '#073642'", "units"),
];

/// The titles and texts of two windows.
type Shown = [(&'static str, &'static str); 2];

/// A theme of the window manager, a name, the terminals' colours, the windows.
const WINDOWS: [(&str, &str, &str, Shown); 4] = [
    (
        "Clearlooks",
        "light",
        "-bg white -fg black",
        [
            ("Software Updates", "12 packages can be upgraded."),
            ("Network Connections", "Wired connection 1: connected"),
        ],
    ),
    (
        "Onyx",
        "dark",
        "-bg gray10 -fg gray90",
        [
            ("Text Editor - notes.txt", "Buy milk, eggs and bread."),
            ("Save changes?", "The file has changed on disk."),
        ],
    ),
    (
        "Nightmare-02",
        "black",
        "-bg black -fg green",
        [
            ("Mail: Inbox (3 unread)", "From: alice@example.org"),
            ("Preferences", "Check for new mail every 5 minutes"),
        ],
    ),
    (
        "Bear2",
        "blue",
        "-bg '#eeeeff' -fg navy",
        [
            ("Web Browser", "404 Not Found: http://server/index.html"),
            ("Downloads", "image.qcow2 (1.8 GB), 42% done"),
        ],
    ),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ocr/corpus");
    let out = tempfile::tempdir()?;
    let vm = builder("desktop").out_dir(out.path()).build()?;
    vm.wait_for_x().await?;
    // Away from the text.
    vm.move_pointer(1010, 750).await?;
    for (name, command) in SHOWN {
        // A row of the terminal has 80 columns.
        vm.succeed(format!(
            "({command}) | cut -c 1-78 | sed 's/ *$//' > /tmp/{name}"
        ))
        .await?;
    }
    for (name, arguments, shown) in TERMINALS {
        terminal(&vm, name, arguments, shown, &corpus.join("xterm")).await?;
    }
    for (theme, name, colours, shown) in WINDOWS {
        set_theme(&vm, theme).await?;
        let truth = windows(&vm, colours, shown).await?;
        save(&vm, &corpus.join("window"), name, &truth).await?;
    }
    Ok(())
}

/// Takes the picture of a terminal with its cursor hidden.
async fn terminal(
    vm: &Machine,
    name: &str,
    arguments: &str,
    shown: &str,
    class: &Path,
) -> Result<(), Box<dyn Error>> {
    vm.succeed(format!(
        "xterm -title 'Terminal of root' -geometry 80x24+0+0 {arguments} \
         -e sh -c 'printf \"\\033[?25l\"; cat /tmp/{shown}; touch /tmp/shown; sleep 1d' >&2 &"
    ))
    .await?;
    vm.wait_for_file("/tmp/shown").await?;
    let truth = vm.succeed(format!("cat /tmp/{shown}")).await?;
    save(vm, class, name, &format!("Terminal of root\n{truth}")).await
}

async fn set_theme(vm: &Machine, theme: &str) -> Result<(), machine::Error> {
    vm.succeed(format!(
        "mkdir -p ~alice/.config/openbox && \
         sed 's|<name>Clearlooks</name>|<name>{theme}</name>|' /etc/xdg/openbox/rc.xml \
         > ~alice/.config/openbox/rc.xml && DISPLAY=:0 openbox --reconfigure"
    ))
    .await?;
    Ok(())
}

/// Opens two windows, and returns their text.
async fn windows(vm: &Machine, colours: &str, shown: Shown) -> Result<String, Box<dyn Error>> {
    let mut truth = String::new();
    for ((title, text), y) in shown.into_iter().zip([80, 380]) {
        let [quoted_title, quoted_text] = [machine::quote(title)?, machine::quote(text)?];
        vm.succeed(format!(
            "echo {quoted_text} >/tmp/{y}; \
             xterm -title {quoted_title} -geometry 50x8+150+{y} {colours} \
             -e sh -c 'printf \"\\033[?25l\"; cat /tmp/{y}; touch /tmp/shown-{y}; sleep 1d' >&2 &"
        ))
        .await?;
        vm.wait_for_file(&format!("/tmp/shown-{y}")).await?;
        truth.extend([title, "\n", text, "\n"]);
    }
    Ok(truth)
}

/// Saves the screen and its text; then closes the windows.
async fn save(vm: &Machine, class: &Path, name: &str, truth: &str) -> Result<(), Box<dyn Error>> {
    vm.wait_for_still_screen(Duration::from_secs(2)).await?;
    let picture = vm.screenshot(name).await?;
    std::fs::copy(picture, class.join(format!("{name}.png")))?;
    std::fs::write(class.join(format!("{name}.txt")), truth)?;
    vm.succeed("pkill xterm; while pgrep xterm; do sleep 0.1; done; rm -f /tmp/shown*")
        .await?;
    Ok(())
}
