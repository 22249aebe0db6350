//! Whether the language data is there.

use std::path::Path;

use crate::ReadError;
use crate::tesseract::{Source, default_directory};

/// Tesseract itself says no more than that it does not start, and starts
/// without complaint if only some of the languages are missing.
pub(crate) fn check(source: &Source) -> Result<(), ReadError> {
    let languages = languages(&source.languages).ok_or_else(|| ReadError::Languages {
        languages: source.languages.clone(),
    })?;
    let directory = source.directory.clone().unwrap_or_else(default_directory);
    languages
        .into_iter()
        .try_for_each(|language| check_one(language, &directory))
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

/// `None` if that is no list of them.
fn languages(list: &str) -> Option<Vec<&str>> {
    // With a tilde, Tesseract is to do without one that another one names.
    let languages = list
        .split('+')
        .filter(|language| !language.starts_with('~'));
    let is_name = |name: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/');
        !name.is_empty() && !name.starts_with('/') && name.chars().all(fits)
    };
    let languages: Vec<_> = languages.collect();
    (!languages.is_empty() && languages.iter().all(|name| is_name(name))).then_some(languages)
}

/// `chi_sim` is in `tesseract-ocr-chi-sim`, `script/Latin` in
/// `tesseract-ocr-script-latn`, whose four letters one cannot tell.
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
    fn lists_are_told_from_what_is_none() {
        assert_eq!(languages("eng"), Some(vec!["eng"]));
        assert_eq!(languages("eng+chi_sim"), Some(vec!["eng", "chi_sim"]));
        assert_eq!(languages("hin+~eng"), Some(vec!["hin"]));
        for wrong in ["", "+", "eng+", "../eng", "/etc/eng", "eng deu", "eng\0"] {
            assert_eq!(languages(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = check(&Source {
            languages: "chi_sim".to_owned(),
            directory: Some("/nowhere".into()),
        });
        assert_eq!(
            error.unwrap_err().to_string(),
            "no data for the language `chi_sim`: /nowhere/chi_sim.traineddata is missing; \
             on Debian, install the package tesseract-ocr-chi-sim"
        );
    }
}
