//! The output of `systemctl show`.

use std::collections::BTreeMap;

/// The properties, of which each is on a line of its own: `Name=value`.
///
/// Of a property that comes more than once (`ExecStart` of a unit with several)
/// the last is kept.
pub(crate) fn properties(output: &str) -> BTreeMap<String, String> {
    let pairs = output.lines().filter_map(|line| line.split_once('='));
    pairs
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_empty_and_hold_anything() {
        let properties = properties("Id=a.service\nResult=\nEnvironment=X=1 Y=2\nnoise\n=x\n");
        let expected = [
            ("Environment", "X=1 Y=2"),
            ("Id", "a.service"),
            ("Result", ""),
        ];
        assert!(
            properties
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .eq(expected)
        );
    }
}
