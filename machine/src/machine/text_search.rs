//! The search for text on a screen that may change while it is read.

use std::time::Duration;

use ocr::{Image, Progress, ReadError, Screen, Search};

/// After this many screens in a row of which not all interpretations were read, one is read
/// completely: otherwise a clock in a corner would hide what only the others show.
const MAX_INCOMPLETE: u32 = 4;

/// A search on the newest screens: of each, the interpretations are searched once.
pub(super) struct TextSearch<F> {
    matches: F,
    current: Option<Current>,
    skipped: Skipped,
}

struct Current {
    screen: Screen,
    search: Search,
    stage: Stage,
}

/// What was read of a screen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Nothing,
    Best,
    All,
}

/// What was not read of the screens before the present one.
#[derive(Default)]
struct Skipped {
    /// The number of screens since the last one that was read completely.
    incomplete: u32,
    /// Whether not even the best interpretation of the last one was read.
    is_last_unread: bool,
}

impl<F: Fn(&str) -> bool> TextSearch<F> {
    pub(super) fn new(matches: F) -> Self {
        Self {
            matches,
            current: None,
            skipped: Skipped::default(),
        }
    }

    /// Whether to search this picture now, instead of the one before; always if it is the
    /// last one.
    pub(super) fn is_next(&self, picture: &Image, is_last: bool) -> bool {
        self.current.as_ref().is_none_or(|current| {
            current.screen.image() != picture && (is_last || self.skipped.may_skip(current.stage))
        })
    }

    /// Leaves the present screen, and begins with this one.
    pub(super) fn begin(&mut self, screen: Screen) {
        if let Some(current) = &self.current {
            self.skipped.skip(current.stage);
        }
        self.current = Some(Current {
            search: screen.search(),
            screen,
            stage: Stage::Nothing,
        });
    }

    /// Searches what is read of the present screen within `patience`. Also returns the screen
    /// if its best interpretation was searched just now.
    pub(super) fn advance(
        &mut self,
        patience: Duration,
    ) -> Result<(Progress, Option<Screen>), ReadError> {
        let Some(current) = &mut self.current else {
            return Ok((Progress::Reading, None));
        };
        let progress = current.search.advance(patience, &self.matches)?;
        let was_unread = current.stage == Stage::Nothing;
        current.stage = match progress {
            Progress::Reading if !current.search.has_tried_best() => Stage::Nothing,
            Progress::Reading => Stage::Best,
            _ => Stage::All,
        };
        let is_new = was_unread && current.stage != Stage::Nothing;
        Ok((progress, is_new.then(|| current.screen.clone())))
    }
}

impl Skipped {
    /// Whether the rest of a screen may be skipped because it has changed.
    fn may_skip(&self, stage: Stage) -> bool {
        match stage {
            Stage::Nothing => !self.is_last_unread,
            Stage::Best => self.incomplete < MAX_INCOMPLETE,
            Stage::All => true,
        }
    }

    fn skip(&mut self, stage: Stage) {
        self.is_last_unread = stage == Stage::Nothing;
        self.incomplete = match stage {
            Stage::All => 0,
            _ => self.incomplete + 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use ocr::Reader;

    use super::*;

    fn screen(name: &str) -> Screen {
        let path = format!(
            "{}/../ocr/corpus/console/{name}.png",
            env!("CARGO_MANIFEST_DIR")
        );
        Screen::new(Image::open(path).unwrap(), None, &Reader::new())
    }

    #[test]
    fn an_unchanged_screen_is_searched_once() {
        let calls = Cell::new(0);
        let mut search = TextSearch::new(|_: &str| {
            calls.set(calls.get() + 1);
            false
        });
        let (one, other) = (screen("text-shell"), screen("text-80x50-shell"));
        for (screen, expected) in [(&one, 1), (&one, 1), (&other, 2), (&other, 2), (&one, 3)] {
            if search.is_next(screen.image(), false) {
                search.begin(screen.clone());
            }
            let (progress, _) = search.advance(Duration::ZERO).unwrap();
            assert_eq!((progress, calls.get()), (Progress::NotFound, expected));
        }
    }

    /// The times of a reading and of changes, in probes.
    struct Times {
        best: u32,
        all: u32,
        change: u32,
    }

    /// What was read in some thousand probes of a screen that changes, and the longest time
    /// from a change until the best interpretation of that screen or a newer one is read.
    #[derive(Default, Debug)]
    struct Outcome {
        best: u32,
        all: u32,
        latest: u32,
    }

    fn simulate(times: &Times) -> Outcome {
        let mut outcome = Outcome::default();
        let mut skipped = Skipped::default();
        let (mut current, mut since, mut newest_read) = (0, 0, 0);
        let mut stage = Stage::Nothing;
        for now in 0..5000 {
            let newest = now / times.change;
            if newest != current && skipped.may_skip(stage) {
                skipped.skip(stage);
                (current, since, stage) = (newest, now, Stage::Nothing);
            }
            let took = now - since;
            if stage == Stage::Nothing && took >= times.best {
                stage = Stage::Best;
                newest_read = current;
                outcome.best += 1;
            }
            if stage == Stage::Best && took >= times.all {
                stage = Stage::All;
                outcome.all += 1;
            }
            // The first change that no reading shows.
            let unseen_since = (newest_read + 1) * times.change;
            outcome.latest = outcome.latest.max(now.saturating_sub(unseen_since));
        }
        outcome
    }

    #[test]
    fn one_change_is_seen_after_one_reading() {
        let mut skipped = Skipped::default();
        for stage in [Stage::Nothing, Stage::Best, Stage::All] {
            assert!(skipped.may_skip(stage));
        }
        skipped.skip(Stage::Nothing);
        assert!(!skipped.may_skip(Stage::Nothing));
        skipped.skip(Stage::Best);
        assert!(skipped.may_skip(Stage::Nothing));
    }

    #[test]
    fn a_clock_hides_nothing() {
        let clock = simulate(&Times {
            best: 3,
            all: 20,
            change: 10,
        });
        assert!(clock.all > 50, "{clock:?}");
        assert!(clock.best > 350, "{clock:?}");
    }

    #[test]
    fn a_screen_that_never_stands_still_is_read() {
        for change in [1, 2, 5, 9] {
            let film = simulate(&Times {
                best: 10,
                all: 40,
                change,
            });
            assert!(film.all > 40 && film.best > 150, "{change}: {film:?}");
            assert!(film.latest < 80, "{change}: {film:?}");
        }
    }
}
