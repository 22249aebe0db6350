//! Code page 437, the characters of a VGA's fonts.
//!
//! The mapping is that of the Unicode Consortium: `VENDORS/MICSFT/PC/CP437.TXT`, and
//! `VENDORS/MISC/IBMGRAPH.TXT` for the symbols below 32 and at 127.

use std::sync::LazyLock;

/// The character with this code. Code 0, which may fill a cleared screen, is a space.
pub(super) fn to_char(code: u8) -> char {
    TABLE[usize::from(code)]
}

static TABLE: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut chars = ALL.chars();
    std::array::from_fn(|_| chars.next().unwrap_or(' '))
});

const ALL: &str = "\
    \u{20}☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼\
    \u{20}!\"#$%&'()*+,-./0123456789:;<=>?\
    @ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_\
    `abcdefghijklmnopqrstuvwxyz{|}~⌂\
    ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ\
    áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_character() {
        assert_eq!(ALL.chars().count(), 256);
        for code in b' '..=b'~' {
            assert_eq!(to_char(code), char::from(code));
        }
        let some = [0x00, 0x01, 0x1f, 0x7f, 0x80, 0xb3, 0xdb, 0xe1, 0xfe, 0xff].map(to_char);
        assert_eq!(
            some,
            [' ', '☺', '▼', '⌂', 'Ç', '│', '█', 'ß', '■', '\u{a0}']
        );
    }
}
