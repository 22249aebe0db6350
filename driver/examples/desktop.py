"""A desktop: windows, the keyboard, the text on the screen.

Machine `machine` with an X server.
"""

machine.wait_for_x()
machine.succeed("xterm -title 'A terminal' -geometry 60x12+50+50 >&2 &")
machine.wait_for_window(r"^A (?P<kind>terminal)$")

with subtest("what is typed is seen"):
    t.assertIn("A terminal", machine.get_window_names())
    machine.wait_for_text("#")
    machine.send_chars("echo seen by $(whoami)\n")
    # Python's regular expressions: what is behind the command's own line.
    machine.wait_for_text(r"(?<!echo )seen by root")
    machine.screenshot("terminal")

with subtest("a window that is closed is gone"):
    machine.send_chars("exit\n")
    retry(lambda _: "A terminal" not in machine.get_window_names(), timeout=60)
