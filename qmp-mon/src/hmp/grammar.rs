//! Parses the human monitor's greeting.

use nom::bytes::complete::{tag, take_until1};
use nom::combinator::all_consuming;
use nom::sequence::delimited;
use nom::{IResult, Parser as _};

/// The version in `QEMU 7.2.22 monitor - type 'help' for more information`.
pub(super) fn greeting(line: &[u8]) -> IResult<&[u8], &[u8]> {
    all_consuming(delimited(
        tag("QEMU "),
        take_until1(" monitor"),
        tag(" monitor - type 'help' for more information"),
    ))
    .parse(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings() {
        let version = |line: &'static str| greeting(line.as_bytes()).ok().map(|(_, v)| v);
        let rest = "monitor - type 'help' for more information";
        assert_eq!(
            version(&format!("QEMU 7.2.22 {rest}").leak()[..]),
            Some(&b"7.2.22"[..])
        );
        assert_eq!(version("QEMU 7.2.22 monitor"), None);
        assert_eq!(version("{\"QMP\": {}}"), None);
        assert_eq!(version(""), None);
    }
}
