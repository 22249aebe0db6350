//! Takes the place of `engines` in a build without the feature `tesseract`.

use super::{Content, Source};
use crate::grey::Grey;
use crate::{Engine, ReadError};

pub(crate) struct Engines;

#[expect(clippy::unused_self, reason = "the signatures are those of `engines`")]
impl Engines {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn read(
        &mut self,
        _: &Source,
        _: Engine,
        _: &Grey,
        _: Content,
    ) -> Result<Option<String>, ReadError> {
        Err(ReadError::TesseractDisabled)
    }

    pub(crate) fn discard(&mut self, _: Engine) {}
}

pub(crate) fn check(_: &Source) -> Result<(), ReadError> {
    Err(ReadError::TesseractDisabled)
}
