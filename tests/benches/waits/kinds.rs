//! The kinds of waits, and their events.

/// A kind of wait.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) wait: Wait,
    /// Shell text that is run before.
    pub(crate) setup: &'static str,
    /// Shell text that makes the event happen, after a pause, and then prints `$event` to
    /// `$console` at once. `$n` is the number of the round.
    pub(crate) event: &'static str,
    /// The reference's probe.
    pub(crate) probe: Probe,
}

pub(crate) enum Probe {
    /// A command that succeeds after the event.
    Command(&'static str),
    /// The screen's text contains this; `$n` is the number of the round.
    Text(&'static str),
    /// The screen is the same for as long as this crate's wait wants it.
    StillScreen,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    File,
    Port,
    ClosedPort,
    UnixSocket,
    Succeeds,
    SucceedsWithPrograms,
    Fails,
    Unit,
    Job,
    UserUnit,
    Tty,
    Retry,
    Window,
    X,
    Text,
    StillScreen,
    /// A wait of `script.py`.
    Script(&'static str),
}

pub(crate) const ON_SYSTEMD: &[Kind] = &[
    Kind {
        name: "wait_for_unit",
        wait: Wait::Unit,
        setup: "printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=sh -c \"%s\"\n' \
                \"sleep $pause; echo $event >$console\" >/run/systemd/system/u$n.service; \
                systemctl daemon-reload; systemctl start --no-block u$n",
        event: ":",
        probe: Probe::Command("systemctl --no-pager show u$n | grep -q ActiveState=active"),
    },
    Kind {
        name: "wait_for_job",
        wait: Wait::Job,
        setup: "systemd-run --no-block --unit=j$n -p Type=oneshot -p RemainAfterExit=yes \
                sh -c \"sleep $pause; echo $event >$console\" >&2",
        event: ":",
        probe: Probe::Command("systemctl --no-pager show j$n | grep -q ActiveState=active"),
    },
    Kind {
        name: "wait_for_unit, of a user",
        wait: Wait::UserUnit,
        setup: "loginctl enable-linger alice; chmod a+w $console; mkdir -p /run/systemd/user; \
                printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=sh -c \"%s\"\n' \
                \"sleep $pause; echo $event >$console\" >/run/systemd/user/v$n.service; \
                user() { su -l alice -s /bin/sh -c \
                \"XDG_RUNTIME_DIR=/run/user/\\`id -u\\` systemctl --user $*\"; }; \
                until user daemon-reload; do sleep 1; done; user start --no-block v$n",
        event: ":",
        probe: Probe::Command(
            "su -l alice --shell /bin/sh -c \"XDG_RUNTIME_DIR=/run/user/\\`id -u\\` \
             systemctl --user --no-pager show v$n\" | grep -q ActiveState=active",
        ),
    },
    Kind {
        name: "wait_until_succeeds, a builtin",
        wait: Wait::Succeeds,
        setup: "",
        event: "sleep $pause; touch /run/s$n; echo $event >$console",
        probe: Probe::Command("test -e /run/s$n"),
    },
    Kind {
        name: "wait_until_succeeds, a program",
        wait: Wait::SucceedsWithPrograms,
        setup: "",
        event: "sleep $pause; echo there >/run/p$n; echo $event >$console",
        probe: Probe::Command("grep there /run/p$n"),
    },
    Kind {
        name: "wait_until_fails, a program",
        wait: Wait::Fails,
        setup: "echo there >/run/f$n",
        event: "sleep $pause; rm /run/f$n; echo $event >$console",
        probe: Probe::Command("! grep there /run/f$n"),
    },
    Kind {
        name: "wait_for_file",
        wait: Wait::File,
        setup: "",
        event: "sleep $pause; touch /run/e$n; echo $event >$console",
        probe: Probe::Command("test -e /run/e$n"),
    },
    Kind {
        name: "wait_for_open_port",
        wait: Wait::Port,
        setup: "",
        event: "exec perl -e 'use Socket; socket(S, PF_INET, SOCK_STREAM, 0); \
                bind(S, sockaddr_in(6000 + $ARGV[0], INADDR_LOOPBACK)); sleep 1; \
                select(undef, undef, undef, $ARGV[0] / 10); listen(S, 5); \
                open(C, \">$ARGV[2]\"); print C \"$ARGV[1]\\n\"; close C; sleep 9' \
                $n \"$event\" $console",
        probe: Probe::Command("nc -z localhost $((6000 + n))"),
    },
    Kind {
        name: "wait_for_closed_port",
        wait: Wait::ClosedPort,
        // The parent ends when the port is open.
        setup: "perl -e 'use Socket; socket(S, PF_INET, SOCK_STREAM, 0); \
                bind(S, sockaddr_in(7000 + $ARGV[0], INADDR_LOOPBACK)); listen(S, 5); \
                exit if fork; sleep 1; select(undef, undef, undef, $ARGV[0] / 10); close(S); \
                open(C, \">$ARGV[2]\"); print C \"$ARGV[1]\\n\"' \
                $n \"$event\" $console >&2 </dev/null",
        event: ":",
        probe: Probe::Command("! nc -z localhost $((7000 + n))"),
    },
    Kind {
        name: "wait_for_open_unix_socket",
        wait: Wait::UnixSocket,
        setup: "",
        event: "exec perl -e 'use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); \
                bind(S, sockaddr_un(\"/run/socket$ARGV[0]\")); sleep 1; \
                select(undef, undef, undef, $ARGV[0] / 10); listen(S, 5); \
                open(C, \">$ARGV[2]\"); print C \"$ARGV[1]\\n\"; close C; sleep 9' \
                $n \"$event\" $console",
        probe: Probe::Command("nc -z -U /run/socket$n"),
    },
    Kind {
        name: "wait_until_tty_matches",
        wait: Wait::Tty,
        setup: "",
        event: "sleep $pause; echo text$n >/dev/tty1; echo $event >$console",
        probe: Probe::Command("fold -w80 /dev/vcs1 | grep text$n"),
    },
    Kind {
        name: "retry, of a command",
        wait: Wait::Retry,
        setup: "",
        event: "sleep $pause; touch /run/r$n; echo $event >$console",
        probe: Probe::Command("test -e /run/r$n"),
    },
];

pub(crate) const ON_DESKTOP: &[Kind] = &[
    Kind {
        name: "wait_for_window",
        wait: Wait::Window,
        setup: "",
        event: "exec xterm -e sh -c \"sleep $pause; sleep 3; \
                printf '\\033]0;window$n\\007'; echo $event >$console; sleep 4\"",
        probe: Probe::Command("xwininfo -root -tree | grep window$n"),
    },
    Kind {
        name: "wait_for_text",
        wait: Wait::Text,
        setup: CLOSE_TERMINALS,
        event: "exec xterm -fa monospace -fs 14 -e sh -c \"sleep $pause; sleep 3; \
                echo number$n; echo $event >$console; sleep 30\"",
        probe: Probe::Text("number$n"),
    },
    Kind {
        name: "wait_for_text, xterm full of text",
        wait: Wait::Text,
        setup: CLOSE_TERMINALS,
        event: "exec xterm -fa monospace -fs 11 -geometry 100x30 -e sh -c \"sleep $pause; \
                ls -l /etc | tail -n 28; sleep 3; echo number$n; echo $event >$console; sleep 30\"",
        probe: Probe::Text("number$n"),
    },
    Kind {
        name: "wait_for_text, the screen changes",
        wait: Wait::Text,
        setup: CLOSE_TERMINALS,
        event: "exec xterm -fa monospace -fs 14 -e sh -c \"sleep $pause; sleep 3; \
                for i in 1 2 3 4 5 6 7 8; do echo line \\$i; sleep 0.1; done; \
                echo number$n; echo $event >$console; sleep 30\"",
        probe: Probe::Text("number$n"),
    },
    Kind {
        name: "wait_for_still_screen, of 1 s",
        wait: Wait::StillScreen,
        setup: CLOSE_TERMINALS,
        event: "exec xterm +bc -e sh -c \"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0.3; \
                echo \\$i; done; echo $event >$console; sleep 30\"",
        probe: Probe::StillScreen,
    },
    // The last one: it ends all windows.
    Kind {
        name: "wait_for_x",
        wait: Wait::X,
        setup: "systemctl stop xorg; rm -f /tmp/.X11-unix/X0",
        event: "sleep $pause; systemctl start --no-block xorg; \
                until [ -e /tmp/.X11-unix/X0 ]; do sleep 0.02; done; echo $event >$console",
        probe: Probe::Command(
            "journalctl -b SYSLOG_IDENTIFIER=systemd | grep 'Reached target.*Current graphical' \
             && [ -e /tmp/.X11-unix/X0 ]",
        ),
    },
];

/// Waits of a Python script.
pub(crate) const IN_SCRIPT: &[Kind] = &[
    Kind {
        name: "retry, in a script",
        wait: Wait::Script("retry"),
        setup: "",
        event: "sleep $pause; touch /run/retry$n; echo $event >$console",
        probe: Probe::Command("test -e /run/retry$n"),
    },
    Kind {
        name: "polling_condition, in a script",
        wait: Wait::Script("polling_condition"),
        setup: "",
        event: "sleep $pause; touch /run/polling_condition$n; echo $event >$console",
        probe: Probe::Command("test -e /run/polling_condition$n"),
    },
];

/// A window of the round before would change the screen when it closes.
const CLOSE_TERMINALS: &str =
    "pkill -x xterm && while pgrep -x xterm >&2; do sleep 0.1; done || true";
