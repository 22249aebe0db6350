//! User data of cloud-init: the user's, and ours before it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saphyr::{LoadableYamlNode as _, Yaml};

use super::serial_login::boothook;
use crate::error::ErrorKind;

/// The first lines by which cloud-init recognizes data other than `#cloud-config`.
const OTHER_KINDS: [&str; 6] = [
    "#!",
    "#include",
    "#cloud-boothook",
    "#cloud-config-",
    "#part-handler",
    "## template: jinja",
];

/// The first headers of MIME messages.
const MIME: [&str; 3] = ["content-type:", "mime-version:", "from:"];

const BOUNDARY: &str = "==vmwright==";

/// The user's data with ours before it, as one MIME message; or the `default` if there is
/// none.
///
/// # Errors
/// [`BadArgument`](ErrorKind::BadArgument) if cloud-init would not understand it.
pub(super) fn merged(user_data: Option<&str>, default: &str) -> Result<String, ErrorKind> {
    let user_data = user_data.unwrap_or(default);
    check(user_data).map_err(|reason| ErrorKind::BadArgument {
        doing: "reading the user data for cloud-init".to_owned(),
        reason,
    })?;
    let ours = part("text/cloud-boothook", &boothook());
    // cloud-init finds out what kind of text it is.
    let theirs = if begins_with_any(user_data, &MIME) {
        user_data.to_owned()
    } else {
        part("text/plain", user_data)
    };
    Ok(format!(
        "Content-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\nMIME-Version: 1.0\n\n\
         --{BOUNDARY}\n{ours}\n--{BOUNDARY}\n{theirs}\n--{BOUNDARY}--\n"
    ))
}

/// Whether they need the network before the boot goes on.
pub(super) fn includes_others(user_data: Option<&str>) -> bool {
    user_data.is_some_and(|text| {
        let in_a_part = || text.contains("#include") || text.contains("text/x-include");
        begins_with_any(text, &["#include"]) || begins_with_any(text, &MIME) && in_a_part()
    })
}

fn part(kind: &str, text: &str) -> String {
    let encoded = STANDARD.encode(text);
    let lines = encoded.as_bytes().chunks(76);
    let lines = lines.map(|line| String::from_utf8_lossy(line) + "\n");
    let lines: String = lines.collect();
    format!(
        "Content-Type: {kind}; charset=\"utf-8\"\nMIME-Version: 1.0\n\
         Content-Transfer-Encoding: base64\n\n{lines}"
    )
}

fn begins_with_any(text: &str, beginnings: &[&str]) -> bool {
    let start = text.trim_start().get(..20).unwrap_or(text).to_lowercase();
    beginnings
        .iter()
        .any(|beginning| start.starts_with(beginning))
}

/// # Errors
/// What is wrong with it.
fn check(user_data: &str) -> Result<(), String> {
    let first = user_data.lines().next().unwrap_or_default().trim_end();
    if first != "#cloud-config" {
        let is_known =
            begins_with_any(user_data, &OTHER_KINDS) || begins_with_any(user_data, &MIME);
        return is_known.then_some(()).ok_or_else(|| {
            format!(
                "it begins with {first:?}; cloud-init needs `#cloud-config` as the first line, \
                 or that of another of its formats, such as `#!/bin/sh`"
            )
        });
    }
    let documents = Yaml::load_from_str(user_data).map_err(|error| format!("no YAML: {error}"))?;
    match documents.as_slice() {
        [] => Ok(()),
        [document] if document.is_mapping() || document.is_null() => Ok(()),
        [_] => Err("its YAML is no mapping of keys, such as `packages:`".to_owned()),
        [_, ..] => Err("it has several YAML documents, of which cloud-init reads none".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_includes_need_the_network() {
        let header = "#cloud-config\nwrite_files: [{path: /a.c, content: '#include <stdio.h>'}]\n";
        let part = "MIME-Version: 1.0\nContent-Type: text/x-include-url\n\nhttp://host/data\n";
        assert!(!includes_others(None) && !includes_others(Some(header)));
        assert!(includes_others(Some("#include\nhttp://host/data\n")));
        assert!(includes_others(Some(part)));
    }

    fn reason(user_data: &str) -> String {
        match merged(Some(user_data), "") {
            Err(ErrorKind::BadArgument { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cloud_init_does_not_understand_is_refused() {
        assert!(reason("packages: [git]\n").contains("`#cloud-config`"));
        assert!(reason("").contains("`#cloud-config`"));
        let broken = reason("#cloud-config\npackages: [git\nx: y\n");
        assert!(
            broken.starts_with("no YAML: ") && broken.contains("line 3"),
            "{broken}"
        );
        assert!(reason("#cloud-config\n- a\n").contains("no mapping"));
        assert!(reason("#cloud-config\na: b\n---\nc: d\n").contains("several"));
    }

    #[test]
    fn every_kind_is_merged() {
        for text in [
            "#cloud-config\n",
            "#cloud-config\n# nothing yet\n",
            "#cloud-config\nusers: [{name: é}]\n",
            "#!/bin/sh\necho $((1))\n",
            "#include\nhttps://example.org/data\n",
            "## template: jinja\n#cloud-config\n{% if x %}",
        ] {
            let merged = merged(Some(text), "").unwrap();
            assert!(merged.contains(&part("text/plain", text)), "{merged}");
            assert_eq!(merged.matches("--==vmwright==\n").count(), 2);
        }
        let mime = "Content-Type: text/cloud-config\n\npackages: []\n";
        assert!(
            merged(Some(mime), "")
                .unwrap()
                .contains(&format!("\n{mime}\n--"))
        );
    }
}
