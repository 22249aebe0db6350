//! Whether the language data exists.

use std::path::Path;

use crate::ReadError;

/// Checks the files. Tesseract itself only reports that it does not start, and starts
/// without a message if only some of the languages are missing.
pub(super) fn check(list: &str, directory: &Path) -> Result<(), ReadError> {
    let languages = parse(list).ok_or_else(|| ReadError::Languages {
        languages: list.to_owned(),
    })?;
    languages
        .into_iter()
        .try_for_each(|language| check_one(language, directory))
}

fn check_one(language: &str, directory: &Path) -> Result<(), ReadError> {
    let file = directory.join(format!("{language}.traineddata"));
    if file.is_file() {
        return Ok(());
    }
    Err(ReadError::LanguageMissing {
        language: language.to_owned(),
        file,
        package: package(language),
    })
}

/// The languages of a list such as `eng+deu`; `None` if it is not one.
fn parse(list: &str) -> Option<Vec<&str>> {
    // A tilde excludes a language that the data of another one would load.
    let languages = list
        .split('+')
        .filter(|language| !language.starts_with('~'));
    let is_name = |name: &str| {
        let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/');
        !name.is_empty() && !name.starts_with('/') && name.chars().all(is_valid)
    };
    let languages: Vec<_> = languages.collect();
    (!languages.is_empty() && languages.iter().all(|name| is_name(name))).then_some(languages)
}

/// `chi_sim` is in `tesseract-ocr-chi-sim`; `script/Latin` is in
/// `tesseract-ocr-script-latn`, whose last four letters cannot be derived.
fn package(language: &str) -> String {
    match language.strip_prefix("script/") {
        Some(_) => "tesseract-ocr-script-… of that script".to_owned(),
        None => format!(
            "tesseract-ocr-{}",
            language.replace('_', "-").to_lowercase()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_parsed_and_anything_else_is_refused() {
        assert_eq!(parse("eng"), Some(vec!["eng"]));
        assert_eq!(parse("eng+chi_sim"), Some(vec!["eng", "chi_sim"]));
        assert_eq!(parse("hin+~eng"), Some(vec!["hin"]));
        for wrong in ["", "+", "eng+", "../eng", "/etc/eng", "eng deu", "eng\0"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_error_names_the_missing_file_and_its_package() {
        let error = check("chi_sim", Path::new("/nowhere"));
        assert_eq!(
            error.unwrap_err().to_string(),
            "no data for the language `chi_sim`: /nowhere/chi_sim.traineddata is missing; \
             on Debian, install the package tesseract-ocr-chi-sim"
        );
    }
}
