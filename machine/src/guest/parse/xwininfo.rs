//! The output of `xwininfo -root -tree`.

/// The names of the windows, topmost first; windows without a name are skipped.
///
/// A line is `0x1000004 "name": ("instance" "Class")  484x316+4+22  +100+99`;
/// quotes in a name are not escaped.
pub(crate) fn window_names(output: &str) -> Vec<String> {
    output.lines().filter_map(window_name).collect()
}

fn window_name(line: &str) -> Option<String> {
    let window = line.trim_start().strip_prefix("0x")?;
    // A window without a name has `(has no name)` here, but may have a class in quotes.
    let after_id = window.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    let rest = after_id.strip_prefix(" \"")?;
    // The name ends at the quote before the class, or at the last one without a class.
    let end = ["\": (", "\":", "\""]
        .iter()
        .find_map(|end| rest.find(end))?;
    Some(rest[..end].to_owned())
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
     0x400001 "Openbox": ()  1x1+-1+-1  +-1+-1
"#;
        assert_eq!(window_names(output), [r#"say "hi""#, "Openbox"]);
    }
}
