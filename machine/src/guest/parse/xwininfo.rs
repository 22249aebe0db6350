//! The output of `xwininfo -root -tree`.

/// The names of the windows, topmost first; windows without a name are left out.
///
/// A line is `0x1000004 "name": ("instance" "Class")  484x316+4+22  +100+99`;
/// a name with quotes in it is printed as it is.
pub(crate) fn window_names(output: &str) -> Vec<String> {
    output.lines().filter_map(window_name).collect()
}

fn window_name(line: &str) -> Option<String> {
    let window = line.trim_start().strip_prefix("0x")?;
    // What has no name says so here; a class in quotes may come after it.
    let after_id = window.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    let rest = after_id.strip_prefix(" \"")?;
    // The name ends at the quote before the class, or where there is none.
    let end = ["\": (", "\":", "\""]
        .iter()
        .find_map(|end| rest.find(end))?;
    Some(rest[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_by_name() {
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
