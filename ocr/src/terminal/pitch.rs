//! The pitch of a grid, from the distances between equal things on it.

use std::ops::RangeInclusive;

/// The logarithm of how much likelier than chance a pitch must be.
const CERTAIN: f64 = 10.0;

/// The share of distances that are not multiples of the pitch: the dots of `i` and `j` look
/// alike, but have different places in their cells.
const NOISE: f64 = 0.05;

/// The pitch of which the distances are multiples; `None` if they are of no pitch, or if
/// this may be by chance.
pub(super) fn pitch(distances: &[usize], range: RangeInclusive<usize>) -> Option<usize> {
    let scores = range.map(|pitch| (score(distances, pitch), pitch));
    let best = scores.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|&(score, _)| score >= CERTAIN)
        .map(|(_, pitch)| pitch)
}

/// The logarithm of the likelihood ratio of a grid with this pitch to no grid.
#[expect(clippy::cast_precision_loss, reason = "these are small numbers")]
fn score(distances: &[usize], pitch: usize) -> f64 {
    let hits = distances
        .iter()
        .filter(|distance| distance.is_multiple_of(pitch))
        .count();
    let misses = (distances.len() - hits) as f64;
    let pitch = pitch as f64;
    let miss = NOISE * pitch / (pitch - 1.0);
    hits as f64 * ((1.0 - NOISE) * pitch).ln() + misses * miss.ln()
}

/// The place of the grid's lines, from 0 to below `pitch`: the middle of the places that
/// are inside of the fewest spans.
pub(super) fn phase(spans: impl Iterator<Item = (usize, usize)>, pitch: usize) -> usize {
    let mut crossed = vec![0_usize; pitch];
    for (start, end) in spans {
        for place in start + 1..end {
            crossed[place % pitch] += 1;
        }
    }
    let fewest = crossed.iter().copied().min().unwrap_or(0);
    // The longest cyclic run of the minimum.
    let at = |place: usize| crossed[place % pitch] == fewest;
    let run = |start: usize| (0..pitch).take_while(|step| at(start + step)).count();
    let starts = (0..pitch).filter(|&start| at(start));
    let best = starts
        .max_by_key(|&start| (run(start), pitch - start))
        .unwrap_or(0);
    (best + run(best) / 2) % pitch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiples_have_a_pitch() {
        let distances = [9, 27, 18, 45, 9, 36, 90, 18];
        assert_eq!(pitch(&distances, 4..=48), Some(9));
        let noisy = [&distances[..], &distances, &[13]].concat();
        assert_eq!(pitch(&noisy, 4..=48), Some(9));
        assert_eq!(pitch(&[9, 27], 4..=48), None);
        assert_eq!(pitch(&[], 4..=48), None);
        let chance: Vec<usize> = (1..200).map(|n| n * n % 97 + 5).collect();
        assert_eq!(pitch(&chance, 4..=48), None);
    }

    #[test]
    fn lines_are_between_spans() {
        assert_eq!(phase([(11, 18), (21, 29), (42, 46)].into_iter(), 10), 0);
        assert_eq!(phase([(4, 11)].into_iter(), 9), 3);
    }
}
