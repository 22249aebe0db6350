use std::time::Duration;

use machine::ErrorKind;
use vm_tests::{SOON, fresh};

#[tokio::test]
async fn text_on_a_terminal() {
    let vm = fresh("systemd").await;
    let patient = vm.within(SOON);
    patient
        .wait_until_tty_matches("1", "root@systemd:~# +$")
        .await
        .unwrap();
    vm.succeed(r"printf '\033[2J\033[Hcaf\303\251 \342\206\222 x\n second row' >/dev/tty1")
        .await
        .unwrap();
    let text = vm.get_tty_text("1").await.unwrap();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 25);
    assert!(rows.iter().all(|row| row.chars().count() == 80), "{text:?}");
    assert_eq!(rows[0].trim_end(), "café → x");
    assert_eq!(rows[1].trim_end(), " second row");
    // `^` and `$` match at the ends of a row, with and without the blanks that fill it.
    for pattern in ["^ second row$", "^ second row +$", "x\n second row\n"] {
        vm.wait_until_tty_matches("1", pattern).await.unwrap();
    }

    vm.dump_tty_contents("1").await.unwrap();
    vm.wait_until_succeeds("journalctl | grep 'second row'")
        .await
        .unwrap();

    let impatient = vm.within(Duration::from_secs(15));
    let error = impatient
        .wait_until_tty_matches("1", "never")
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    assert!(
        error.to_string().contains("second row"),
        "the text of the terminal is missing: {error}"
    );
    assert!(!error.to_string().contains("row "), "{error}");
}

#[tokio::test]
async fn missing_terminals_are_refused() {
    let vm = fresh("systemd").await;
    for tty in ["", "1; reboot", "S0", "-1", "0", "64", "99"] {
        let error = vm.get_tty_text(tty).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::BadArgument { .. }),
            "{error}"
        );
    }
    let error = vm.wait_until_tty_matches("64", "x").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::BadArgument { .. }),
        "{error}"
    );
    // A terminal that has no /dev/vcs40 yet.
    let error = vm.get_tty_text("40").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::CommandFailed { .. }),
        "{error}"
    );
    let impatient = vm.within(Duration::from_secs(15));
    let error = impatient
        .wait_until_tty_matches("40", "x")
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(error.to_string().contains("No such file"), "{error}");
    vm.succeed("(sleep 2; echo printed later >/dev/tty40) >&2 &")
        .await
        .unwrap();
    vm.within(SOON)
        .wait_until_tty_matches("40", "^printed later *$")
        .await
        .unwrap();
    let error = vm.wait_until_tty_matches("1", "(").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::BadArgument { .. }),
        "{error}"
    );
}
