"""A desktop: windows, the keyboard, the text on the screen.

Machine `machine` with an X server.
"""

machine.wait_for_x()
machine.succeed("xterm -title 'A terminal' -geometry 60x12+50+50 >&2 &")
machine.wait_for_window(r"^A (?P<kind>terminal)$")

with subtest("typed text appears on the screen"):
    t.assertIn("A terminal", machine.get_window_names())
    machine.wait_for_text("#")
    machine.send_chars("echo seen by $(whoami)\n")
    # Matches the output, but not the command line.
    machine.wait_for_text(r"(?<!echo )seen by root")
    machine.screenshot("terminal")

with subtest("a closed window disappears"):
    machine.send_chars("exit\n")
    retry(lambda _: "A terminal" not in machine.get_window_names(), timeout=60)
