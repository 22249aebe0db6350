//! Maps characters and names to QEMU's keys.

use std::fmt;
use std::str::FromStr;

use nom::bytes::complete::{tag, take_while_m_n};
use nom::combinator::{all_consuming, map_res};
use nom::sequence::preceded;
use nom::{IResult, Parser as _};
use serde_json::{Value, json};

use crate::Error;

/// Keys pressed together: `a`, `shift-minus`, `ctrl-alt-delete`, `0x1c`.
///
/// `Display` formats it as the argument of the human monitor's `sendkey`:
///
/// ```
/// # fn main() -> Result<(), qmp_mon::Error> {
/// use qmp_mon::Keys;
///
/// assert_eq!(format!("sendkey {}", Keys::for_char('_')?), "sendkey shift-minus");
/// assert_eq!("ctrl-alt-delete".parse::<Keys>()?.to_string(), "ctrl-alt-delete");
/// assert!("ctrl-alt-entf".parse::<Keys>().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys(Vec<Key>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// A name of [`NAMES`].
    Name(&'static str),
    /// A scancode of the PC keyboard.
    Scancode(u8),
}

impl Keys {
    /// Returns the keys of a US keyboard that type `character`: any printable ASCII
    /// character, newline or carriage return (`ret`), tab, backspace (also DEL), or
    /// escape.
    ///
    /// # Errors
    /// [`Error::NoKeyFor`] for any other character.
    pub fn for_char(character: char) -> Result<Self, Error> {
        let keys = match character {
            'a'..='z' | '0'..='9' => vec![named(character)],
            'A'..='Z' => vec![Some(SHIFT), named(character.to_ascii_lowercase())],
            _ => match SYMBOLS.iter().find(|(symbol, ..)| *symbol == character) {
                Some((_, Level::Plain, name)) => vec![Some(Key::Name(name))],
                Some((_, Level::Shift, name)) => vec![Some(SHIFT), Some(Key::Name(name))],
                None => vec![None],
            },
        };
        let keys: Option<_> = keys.into_iter().collect();
        keys.map(Self).ok_or(Error::NoKeyFor { character })
    }

    /// Returns how many keys are pressed together.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the `keys` argument of QMP's `send-key`.
    ///
    /// ```
    /// # fn main() -> Result<(), qmp_mon::Error> {
    /// use serde_json::json;
    ///
    /// let keys = qmp_mon::Keys::for_char('?')?;
    /// assert_eq!(
    ///     json!({"keys": keys.to_qmp()}),
    ///     json!({"keys": [{"type": "qcode", "data": "shift"}, {"type": "qcode", "data": "slash"}]})
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_qmp(&self) -> Value {
        let key = |key: &Key| match key {
            Key::Name(name) => json!({"type": "qcode", "data": name}),
            Key::Scancode(code) => json!({"type": "number", "data": code}),
        };
        self.0.iter().map(key).collect()
    }
}

/// Parses a single character (`A`, `-`, a space) as that character's keys, and
/// anything else as an argument of `sendkey`: names (`QKeyCode` in QEMU's
/// `qapi/ui.json`) or scancodes from `0x01` to `0xff`, joined by `-`. The names
/// are those of QEMU 7.2, without the later `f13` to `f24`.
///
/// Stricter than QEMU, which accepts any number and ignores unknown ones.
impl FromStr for Keys {
    type Err = Error;

    fn from_str(combination: &str) -> Result<Self, Error> {
        let mut characters = combination.chars();
        if let (Some(character), None) = (characters.next(), characters.next()) {
            return Self::for_char(character);
        }
        let unknown = |key: &str| Error::UnknownKey {
            key: key.to_owned(),
            combination: combination.to_owned(),
        };
        let keys = combination
            .split('-')
            .map(|part| key(part).ok_or_else(|| unknown(part)));
        keys.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, key) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "-" })?;
            match key {
                Key::Name(name) => f.write_str(name)?,
                Key::Scancode(code) => write!(f, "{code:#04x}")?,
            }
        }
        Ok(())
    }
}

fn key(part: &str) -> Option<Key> {
    match (part, all_consuming(scancode).parse(part)) {
        (_, Ok((_, 0))) => None,
        (_, Ok((_, code))) => Some(Key::Scancode(code)),
        // The only symbol that `sendkey` accepts as a name.
        ("<", _) => Some(Key::Name("less")),
        _ => NAMES
            .iter()
            .find(|name| **name == part)
            .map(|name| Key::Name(name)),
    }
}

fn named(character: char) -> Option<Key> {
    key(character.encode_utf8(&mut [0; 4]))
}

/// QEMU accepts only a lower-case `x`, but digits of either case.
fn scancode(input: &str) -> IResult<&str, u8> {
    let digits = take_while_m_n(1, 2, |c: char| c.is_ascii_hexdigit());
    map_res(preceded(tag("0x"), digits), |digits| {
        u8::from_str_radix(digits, 16)
    })
    .parse(input)
}

const SHIFT: Key = Key::Name("shift");

#[derive(Clone, Copy)]
enum Level {
    Plain,
    Shift,
}

/// The characters of a US keyboard that differ from the names of their keys.
#[rustfmt::skip]
const SYMBOLS: &[(char, Level, &str)] = {
    use Level::{Plain, Shift};
    &[
        (' ', Plain, "spc"), ('\n', Plain, "ret"), ('\r', Plain, "ret"), ('\t', Plain, "tab"),
        ('\u{8}', Plain, "backspace"), ('\u{7f}', Plain, "backspace"), ('\u{1b}', Plain, "esc"),
        ('-', Plain, "minus"), ('_', Shift, "minus"),
        ('=', Plain, "equal"), ('+', Shift, "equal"),
        ('[', Plain, "bracket_left"), ('{', Shift, "bracket_left"),
        (']', Plain, "bracket_right"), ('}', Shift, "bracket_right"),
        (';', Plain, "semicolon"), (':', Shift, "semicolon"),
        ('\'', Plain, "apostrophe"), ('"', Shift, "apostrophe"),
        ('`', Plain, "grave_accent"), ('~', Shift, "grave_accent"),
        ('\\', Plain, "backslash"), ('|', Shift, "backslash"),
        (',', Plain, "comma"), ('<', Shift, "comma"),
        ('.', Plain, "dot"), ('>', Shift, "dot"),
        ('/', Plain, "slash"), ('?', Shift, "slash"),
        ('!', Shift, "1"), ('@', Shift, "2"), ('#', Shift, "3"), ('$', Shift, "4"), ('%', Shift, "5"),
        ('^', Shift, "6"), ('&', Shift, "7"), ('*', Shift, "8"), ('(', Shift, "9"), (')', Shift, "0"),
    ]
};

/// `QKeyCode` of QEMU 7.2, from `query-qmp-schema`, without `unmapped`, which is
/// not a key.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "shift", "shift_r", "alt", "alt_r", "ctrl", "ctrl_r", "menu", "esc",
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "minus", "equal", "backspace", "tab",
    "q", "w", "e", "r", "t", "y", "u", "i", "o", "p", "bracket_left", "bracket_right", "ret",
    "a", "s", "d", "f", "g", "h", "j", "k", "l", "semicolon", "apostrophe", "grave_accent", "backslash",
    "z", "x", "c", "v", "b", "n", "m", "comma", "dot", "slash", "asterisk", "spc", "caps_lock",
    "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "num_lock", "scroll_lock",
    "kp_divide", "kp_multiply", "kp_subtract", "kp_add", "kp_enter", "kp_decimal", "sysrq",
    "kp_0", "kp_1", "kp_2", "kp_3", "kp_4", "kp_5", "kp_6", "kp_7", "kp_8", "kp_9",
    "less", "f11", "f12", "print", "home", "pgup", "pgdn", "end", "left", "up", "down", "right",
    "insert", "delete", "stop", "again", "props", "undo", "front", "copy", "open", "paste", "find", "cut",
    "lf", "help", "meta_l", "meta_r", "compose", "pause", "ro", "hiragana", "henkan", "yen",
    "muhenkan", "katakanahiragana", "kp_comma", "kp_equals", "power", "sleep", "wake",
    "audionext", "audioprev", "audiostop", "audioplay", "audiomute", "volumeup", "volumedown",
    "mediaselect", "mail", "calculator", "computer",
    "ac_home", "ac_back", "ac_forward", "ac_refresh", "ac_bookmarks", "lang1", "lang2",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(combination: &str) -> Option<String> {
        combination
            .parse::<Keys>()
            .ok()
            .map(|keys| keys.to_string())
    }

    #[test]
    fn all_printable_ascii_characters_have_keys() {
        for character in ' '..='~' {
            let keys = Keys::for_char(character).unwrap();
            assert!(keys.0.len() <= 2, "{character:?} is {keys}");
            assert_eq!(parse(&character.to_string()), Some(keys.to_string()));
        }
    }

    #[test]
    fn only_these_characters_share_keys() {
        let typed = |character| Keys::for_char(character).ok();
        for (a, b) in (' '..='~').flat_map(|a| (' '..a).map(move |b| (a, b))) {
            assert_ne!(typed(a), typed(b), "{a:?} {b:?}");
        }
        assert_eq!(typed('\n'), typed('\r'));
        assert_eq!(typed('\u{8}'), typed('\u{7f}'));
    }

    #[test]
    fn every_symbol_has_an_existing_key() {
        for (symbol, _, name) in SYMBOLS {
            assert!(NAMES.contains(name), "{symbol:?}");
        }
    }

    #[test]
    fn characters_without_a_key_are_errors() {
        for character in ['ä', '€', '\0', '\u{1}', '\u{85}'] {
            let seen = Keys::for_char(character);
            assert!(matches!(seen, Err(Error::NoKeyFor { character: c }) if c == character));
        }
    }

    #[test]
    fn combinations() {
        for same in [
            "ret",
            "ctrl-alt-delete",
            "shift-0x0c",
            "0xff",
            "kp_0",
            "meta_l-r",
        ] {
            assert_eq!(parse(same).as_deref(), Some(same));
        }
        assert_eq!(parse("0x0C").as_deref(), Some("0x0c"));
        assert_eq!(parse("0xc").as_deref(), Some("0x0c"));
        assert_eq!(parse("ctrl-<").as_deref(), Some("ctrl-less"));
        for unknown in [
            "", "foo", "a-", "-a", "--", "ctrl-A", "f13", "unmapped", "12", " a", "ret 100",
        ] {
            assert_eq!(parse(unknown), None, "{unknown:?}");
        }
        for scancode in [
            "0x", "0x0", "0x00", "0x100", "0xfg", "0X0c", "0x+c", "0xfff",
        ] {
            assert_eq!(parse(scancode), None, "{scancode:?}");
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = "ctrl-entf".parse::<Keys>().unwrap_err();
        assert!(matches!(&error, Error::UnknownKey { key, combination }
            if key == "entf" && combination == "ctrl-entf"));
    }

    #[test]
    fn scancodes_are_numbers_in_qmp() {
        assert_eq!(
            "shift-0x0C".parse::<Keys>().unwrap().to_qmp(),
            json!([{"type": "qcode", "data": "shift"}, {"type": "number", "data": 12}])
        );
    }
}
