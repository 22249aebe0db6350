use std::time::Duration;

use machine::{Button, ErrorKind};
use vm_tests::{SOON, fresh, fresh_with};

#[tokio::test]
async fn a_text_console_is_read_exactly() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("systemd", |builder| builder.out_dir(out.path())).await;
    vm.connect().await.unwrap();
    let patient = vm.within(SOON);
    patient.wait_for_text("^root@systemd:~# *$").await.unwrap();
    let text = r"0O1lI| {}[]<>()~`'\/ 0x7f3c :;.,-_ rn m";
    let quoted = machine::quote(text).unwrap();
    vm.succeed(format!(
        r"(printf '\033[2J\033[H'; echo {quoted}) >/dev/tty1"
    ))
    .await
    .unwrap();
    assert_eq!(
        vm.get_screen_text().await.unwrap().lines().next(),
        Some(text)
    );
    let variants = vm.get_screen_text_variants().await.unwrap();
    assert!(
        variants.len() > 1,
        "Tesseract's variants are missing: {variants:?}"
    );
    assert!(variants[0].starts_with(text), "{variants:?}");

    // After scrolling, and with a font of other characters.
    vm.succeed("for i in {1..60}; do echo line $i; done >/dev/tty1")
        .await
        .unwrap();
    assert!(vm.get_screen_text().await.unwrap().contains("line 60"));
    let font = "/usr/share/consolefonts/CyrSlav-Fixed16.psf.gz";
    vm.copy_from_host(font, "/root/font.psf.gz").await.unwrap();
    vm.succeed("setfont -C /dev/tty1 /root/font.psf.gz")
        .await
        .unwrap();
    vm.wait_for_text("^line 60$").await.unwrap();
    vm.succeed("echo Жизнь >/dev/tty1").await.unwrap();
    vm.wait_for_text("^Жизнь$").await.unwrap();
    let matches = vm.find_text("line (59|60)").await.unwrap();
    assert_eq!(matches.len(), 2);
    assert_eq!(
        (matches[0].x, matches[0].width, matches[0].height),
        (0, 63, 16)
    );
}

#[tokio::test]
async fn text_that_does_not_appear() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("systemd", |builder| builder.out_dir(out.path())).await;
    vm.within(SOON)
        .wait_for_text("^root@systemd:~# *$")
        .await
        .unwrap();
    let impatient = vm.within(Duration::from_secs(1));
    let error = impatient.wait_for_text("never").await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let message = error.to_string();
    assert!(
        message.contains("root@systemd:~#"),
        "the text on the screen is missing: {message}"
    );
    let picture = out.path().join("systemd-last-screen-1.png");
    assert!(
        picture.exists() && message.contains("systemd-last-screen-1.png"),
        "{message}"
    );
    let error = vm.wait_for_text("(").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::BadArgument { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn text_on_a_desktop() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("desktop", |builder| builder.out_dir(out.path())).await;
    vm.wait_for_x().await.unwrap();
    let vm = vm.within(SOON);
    vm.succeed("xterm -title 'Terminal of root' -geometry 70x10+100+100 -e sh -c 'echo Some words in a terminal; read x; echo You wrote $x; sleep 1d' >&2 &")
        .await
        .unwrap();
    vm.wait_for_text("Some words in a terminal").await.unwrap();
    vm.wait_for_still_screen(Duration::from_secs(1))
        .await
        .unwrap();

    // A click on the text focuses the window.
    let matches = vm.find_text("words in").await.unwrap();
    let rectangle = matches[0];
    assert!(
        (100..500).contains(&rectangle.x) && (100..200).contains(&rectangle.y),
        "{rectangle:?}"
    );
    vm.click_text("Some words").await.unwrap();
    // A pointer over the words can make Tesseract misread even the title ("reot"), and the
    // title of a window without focus is grey on grey.
    vm.move_pointer(800, 600).await.unwrap();
    vm.wait_for_text("Terminal of r").await.unwrap();
    vm.send_chars("with the keyboard\n").await.unwrap();
    vm.wait_for_text("You wrote with the keyboard")
        .await
        .unwrap();

    // The window manager's menu.
    vm.click(Button::Right).await.unwrap();
    vm.wait_for_text("(?i)terminal emulator|log out|exit")
        .await
        .unwrap();

    // The kernel's console on a framebuffer.
    vm.send_key("ctrl-alt-f2").await.unwrap();
    vm.wait_for_text("^desktop login: *$").await.unwrap();
    let text = vm.get_screen_text().await.unwrap();
    assert!(
        text.contains("Debian GNU/Linux 12 desktop tty2\n"),
        "{text}"
    );
}

#[tokio::test]
async fn invalid_pointer_moves_are_refused() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    let error = vm.move_pointer(10_000, 0).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::BadArgument { .. }),
        "{error}"
    );
    let error = vm.move_pointer(10, 10).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Pointer), "{error}");
}

/// Values of the left button's events (1 is pressed) that the guest has received, in one line.
const LEFT_BUTTON: &str = "od -A n -v -t x2 -w24 /tmp/events |
    awk '$9 == \"0001\" && $10 == \"0110\" { printf \"%d\", $11 }'";

#[tokio::test]
async fn a_dropped_click_releases_the_button() {
    let vm = fresh("desktop").await.within(SOON);
    // Each device is open before its `cat` starts, so no event is missed.
    vm.succeed(
        "for device in /dev/input/event*; do
            exec {events}<$device
            cat <&$events >>/tmp/events &
        done",
    )
    .await
    .unwrap();
    let wait_for_values = async |values: &str| {
        let command = format!("test \"$({LEFT_BUTTON})\" = {values}");
        vm.wait_until_succeeds(command).await.unwrap()
    };
    let slow = vm.with_key_delay(Duration::from_hours(1));
    tokio::select! {
        clicked = slow.click(Button::Left) => panic!("{clicked:?}"),
        _ = wait_for_values("1") => {}
    }
    wait_for_values("10").await;
    vm.click(Button::Left).await.unwrap();
    wait_for_values("1010").await;
}
