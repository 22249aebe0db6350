//! The output of `xwininfo -root -tree`.

/// How many more lines a name may have.
const MAX_LINES: usize = 20;

/// The names of the windows, topmost first; windows without a name are skipped.
///
/// A window is `0x1000004 "name": ("instance" "Class")  484x316+4+22  +100+99`. Nothing in
/// a name is escaped: it may contain quotes, and lines.
pub(crate) fn window_names(output: &[u8]) -> Vec<String> {
    let lines = output.split(|byte| *byte == b'\n');
    let text = lines.map(decoded).collect::<Vec<_>>().join("\n");
    let mut lines = text.lines();
    let mut names = Vec::new();
    while let Some(line) = lines.next() {
        let Some(rest) = after_id(line) else {
            continue;
        };
        let mut window = rest.to_owned();
        // The listing may be cut.
        for next in lines.clone().take(MAX_LINES) {
            if name_end(&window).is_some() || is_window(next) {
                break;
            }
            window = window + "\n" + next;
            lines.next();
        }
        if let Some(end) = name_end(&window) {
            window.truncate(end);
            names.push(window);
        }
    }
    names
}

/// X11's type STRING is ISO 8859-1; all other names are UTF-8.
fn decoded(line: &[u8]) -> String {
    match str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) => line.iter().copied().map(char::from).collect(),
    }
}

/// What follows the id and the first quote. A window without a name has `(has no name)`
/// there, but may have a class in quotes.
fn after_id(line: &str) -> Option<&str> {
    without_id(line)?.strip_prefix(" \"")
}

fn is_window(line: &str) -> bool {
    without_id(line).is_some_and(|rest| rest.starts_with(" \"") || rest.starts_with(" ("))
}

/// The line after the id of a window.
fn without_id(line: &str) -> Option<&str> {
    let window = line.trim_start().strip_prefix("0x")?;
    Some(window.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
}

/// Where the name ends: at the last quote that a class and a geometry follow, as in
/// `": ("instance" "Class")  484x316+4+22  +100+99`. The names in the class may be missing.
fn name_end(window: &str) -> Option<usize> {
    let (window, geometry) = window.rsplit_once(")  ")?;
    let is_geometry = |c: char| c.is_ascii_digit() || "x+- ".contains(c);
    if !geometry.chars().all(is_geometry) {
        return None;
    }
    let mut ends = window.rmatch_indices("\": (");
    let name = ends.find(|(at, end)| is_class(&window[at + end.len()..]));
    name.map(|(at, _)| at)
}

/// Whether the text is `"instance" "Class"`, empty, or has `(none)` for one.
fn is_class(text: &str) -> bool {
    let begins = text.starts_with('"') || text.starts_with("(none)");
    let ends = text.ends_with('"') || text.ends_with("(none)");
    text.is_empty() || (begins && ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_with_names() {
        let output = r#"
xwininfo: Window id: 0x3b7 (the root window) "desktop"

  Root window id: 0x3b7 (the root window) "desktop"
  Parent window id: 0x0 (none)
     4 children:
     0x600003 (has no name): ("openbox" "Openbox")  1x1+-100+-100  +-100+-100
     0x600003 (has no name): ()  486x340+99+77  +99+77
        1 child:
        0x80000d "say "hi"": ("xterm" "XTerm")  484x316+1+23  +100+100
           1 child:
           0x800018 (has no name): ()  484x316+0+0  +100+100
     0x400001 "Openbox": ("" (none))  1x1+-1+-1  +-1+-1
     0x400002 (has no name): ()  1x1+0+0  +0+0
"#;
        assert_eq!(window_names(output.as_bytes()), [r#"say "hi""#, "Openbox"]);
    }

    #[test]
    fn names_are_whole() {
        let names = [
            r#"it says "x": (y)"#,
            "Grüße",
            "日本",
            r#"": ("#,
            r#"a": ()  1x1+1+1  +1+1"#,
            "two\n\nlines",
            "",
        ];
        let line = |name| format!("  0x1 \"{name}\": (\"xterm\" \"XTerm\")  1x1+-1+0  +2+-3\n");
        let output = names.map(line).concat();
        assert_eq!(window_names(output.as_bytes()), names);
    }

    #[test]
    fn names_in_iso_8859_1() {
        let output = b"0x1 \"Gr\xfc\xdfe\": ()  1x1+1+1  +1+1\n";
        assert_eq!(window_names(output), ["Grüße"]);
    }

    #[test]
    fn a_listing_that_is_cut() {
        let output = "0x1 \"a\n0x2 \"b\": ()  1x1+1+1  +1+1\n0x3 \"c\": (\"x";
        assert_eq!(window_names(output.as_bytes()), ["b"]);
    }
}
