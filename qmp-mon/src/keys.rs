//! Keys of QEMU's keyboard: from characters, and by name.

use crate::Error;

/// The key, or combination of keys, that types `character` on a US keyboard, as
/// `sendkey` takes it: all of printable ASCII, newline (`ret`), tab, backspace
/// (U+0008 and U+007F) and escape (U+001B).
///
/// # Errors
/// [`Error::NoKey`] for any other character.
///
/// ```
/// assert_eq!(qmp_mon::keys::for_char('A')?, "shift-a");
/// assert_eq!(qmp_mon::keys::for_char('\n')?, "ret");
/// assert!(qmp_mon::keys::for_char('é').is_err());
/// # Ok::<(), qmp_mon::Error>(())
/// ```
pub fn for_char(character: char) -> Result<String, Error> {
    if character.is_ascii_lowercase() || character.is_ascii_digit() {
        return Ok(character.to_string());
    }
    if character.is_ascii_uppercase() {
        return Ok(format!("shift-{}", character.to_ascii_lowercase()));
    }
    let find = |table: &[(char, &'static str)]| {
        table
            .iter()
            .find(|(typed, _)| *typed == character)
            .map(|(_, key)| *key)
    };
    match (find(&PLAIN), find(&SHIFTED)) {
        (Some(key), _) => Ok(key.to_owned()),
        (None, Some(key)) => Ok(format!("shift-{key}")),
        (None, None) => Err(Error::NoKey { character }),
    }
}

/// Checks a key or combination, as `ctrl-alt-delete`, before QEMU gets it: each
/// part is a [name](is_name) or a scan code (`0x1c`).
///
/// # Errors
/// [`Error::UnknownKey`] with the part that is none.
pub fn check(combination: &str) -> Result<(), Error> {
    match combination
        .split('-')
        .find(|key| !is_name(key) && !is_scan_code(key))
    {
        Some(key) => Err(Error::UnknownKey {
            key: key.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Whether `key` is one of QEMU's key names (`QKeyCode`).
pub fn is_name(key: &str) -> bool {
    NAMES.binary_search(&key).is_ok()
}

fn is_scan_code(key: &str) -> bool {
    key.strip_prefix("0x")
        .is_some_and(|digits| u8::from_str_radix(digits, 16).is_ok())
}

/// What keys type alone.
const PLAIN: [(char, &str); 17] = [
    (' ', "spc"),
    ('\n', "ret"),
    ('\t', "tab"),
    ('\u{8}', "backspace"),
    ('\u{7f}', "backspace"),
    ('\u{1b}', "esc"),
    ('-', "minus"),
    ('=', "equal"),
    ('[', "bracket_left"),
    (']', "bracket_right"),
    (';', "semicolon"),
    ('\'', "apostrophe"),
    ('`', "grave_accent"),
    ('\\', "backslash"),
    (',', "comma"),
    ('.', "dot"),
    ('/', "slash"),
];

/// What keys type with shift.
const SHIFTED: [(char, &str); 21] = [
    ('!', "1"),
    ('@', "2"),
    ('#', "3"),
    ('$', "4"),
    ('%', "5"),
    ('^', "6"),
    ('&', "7"),
    ('*', "8"),
    ('(', "9"),
    (')', "0"),
    ('_', "minus"),
    ('+', "equal"),
    ('{', "bracket_left"),
    ('}', "bracket_right"),
    (':', "semicolon"),
    ('"', "apostrophe"),
    ('~', "grave_accent"),
    ('|', "backslash"),
    ('<', "comma"),
    ('>', "dot"),
    ('?', "slash"),
];

/// Every `QKeyCode` of QEMU 7.2 (`query-qmp-schema`), sorted.
#[rustfmt::skip]
const NAMES: [&str; 149] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "ac_back", "ac_bookmarks",
    "ac_forward", "ac_home", "ac_refresh", "again", "alt", "alt_r", "apostrophe", "asterisk",
    "audiomute", "audionext", "audioplay", "audioprev", "audiostop", "b", "backslash",
    "backspace", "bracket_left", "bracket_right", "c", "calculator", "caps_lock", "comma",
    "compose", "computer", "copy", "ctrl", "ctrl_r", "cut", "d", "delete", "dot", "down", "e",
    "end", "equal", "esc", "f", "f1", "f10", "f11", "f12", "f2", "f3", "f4", "f5", "f6", "f7",
    "f8", "f9", "find", "front", "g", "grave_accent", "h", "help", "henkan", "hiragana", "home",
    "i", "insert", "j", "k", "katakanahiragana", "kp_0", "kp_1", "kp_2", "kp_3", "kp_4", "kp_5",
    "kp_6", "kp_7", "kp_8", "kp_9", "kp_add", "kp_comma", "kp_decimal", "kp_divide", "kp_enter",
    "kp_equals", "kp_multiply", "kp_subtract", "l", "lang1", "lang2", "left", "less", "lf", "m",
    "mail", "mediaselect", "menu", "meta_l", "meta_r", "minus", "muhenkan", "n", "num_lock", "o",
    "open", "p", "paste", "pause", "pgdn", "pgup", "power", "print", "props", "q", "r", "ret",
    "right", "ro", "s", "scroll_lock", "semicolon", "shift", "shift_r", "slash", "sleep", "spc",
    "stop", "sysrq", "t", "tab", "u", "undo", "up", "v", "volumedown", "volumeup", "w", "wake",
    "x", "y", "yen", "z",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printable_character_has_a_key_that_qemu_knows() {
        for character in (' '..='~').chain(['\n', '\t', '\u{8}', '\u{1b}']) {
            let key = for_char(character).unwrap();
            check(&key).unwrap();
        }
    }

    #[test]
    fn no_two_printable_characters_share_a_key() {
        let mut keys: Vec<_> = (' '..='~')
            .map(|character| for_char(character).unwrap())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), usize::from(b'~' - b' ' + 1));
    }

    #[test]
    fn characters_without_a_key() {
        for character in ['é', '\0', '\r', '→'] {
            assert!(
                matches!(for_char(character), Err(Error::NoKey { .. })),
                "{character:?}"
            );
        }
    }

    #[test]
    fn combinations() {
        check("ctrl-alt-delete").unwrap();
        check("shift-0x0C").unwrap();
        for (combination, bad) in [
            ("ctrl-bogus", "bogus"),
            ("", ""),
            ("-", ""),
            ("0x1ff", "0x1ff"),
        ] {
            let error = check(combination).unwrap_err();
            assert!(
                matches!(&error, Error::UnknownKey { key } if key == bad),
                "{error}"
            );
        }
    }

    #[test]
    fn names_are_sorted() {
        assert!(NAMES.is_sorted());
    }
}
