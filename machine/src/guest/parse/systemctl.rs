//! The output of `systemctl show`.

use std::collections::BTreeMap;

/// The properties, from lines `Name=value`.
///
/// The last value of a repeated property is kept (`ExecStart` of a unit with several).
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
    fn values_may_be_empty_and_contain_any_characters() {
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
