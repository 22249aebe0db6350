//! The characters of a grid's glyphs, from what Tesseract reads in different words.

use std::collections::{HashMap, HashSet};

use crate::disjoint_sets::DisjointSets;

/// Glyphs, and the characters that were read for them: not always as many.
pub(super) struct Reading {
    pub(super) glyphs: Vec<usize>,
    pub(super) chars: Vec<char>,
}

/// For each glyph, how often each character was read.
type Votes = Vec<HashMap<char, f64>>;

/// How often the votes are counted again, with what is known from the count before.
const ROUNDS: usize = 3;

/// The cost of a character without a glyph, and of a glyph without a character.
const GAP: f64 = 4.0;

/// The share of its votes that a glyph's character must have, if it is not the first.
const MIN_SHARE: f64 = 0.2;

/// Characters that are taken for each other; of each group, the more frequent first.
const ALIKE: [&str; 8] = ["l1I|", "0O", "5S", "2Z", ".,", ":;", "'`", "-~"];

/// The characters of the glyphs; `None` for one without votes.
/// `neighbours` are the pairs of glyphs that are beside each other in one colour;
/// `are_one_letter` is whether two glyphs are the same but for an underline.
pub(super) fn decide(
    glyphs: usize,
    readings: &[Reading],
    neighbours: &HashSet<(usize, usize)>,
    are_one_letter: impl Fn(usize, usize) -> bool,
) -> Vec<Option<char>> {
    let mut votes = vec![HashMap::new(); glyphs];
    for reading in readings
        .iter()
        .filter(|reading| reading.glyphs.len() == reading.chars.len())
    {
        for (&glyph, &char) in reading.glyphs.iter().zip(&reading.chars) {
            *votes[glyph].entry(char).or_default() += 1.0;
        }
    }
    for _ in 0..ROUNDS {
        let mut next = vec![HashMap::new(); glyphs];
        for reading in readings {
            for (glyph, char) in align(reading, &votes) {
                *next[glyph].entry(char).or_default() += 1.0;
            }
        }
        votes = next;
    }
    let styles = styles(glyphs, neighbours, &votes);
    assign(&votes, &styles, are_one_letter)
}

/// Which character was read for which glyph: the cheapest alignment.
fn align(reading: &Reading, votes: &Votes) -> Vec<(usize, char)> {
    let (glyphs, chars) = (&reading.glyphs, &reading.chars);
    let width = chars.len() + 1;
    let mut costs = vec![0.0; (glyphs.len() + 1) * width];
    let cost = |g: usize, c: usize| mismatch(&votes[glyphs[g]], chars[c]);
    for g in 0..=glyphs.len() {
        for c in 0..=chars.len() {
            let at = |g: usize, c: usize| costs[g * width + c];
            let both = (g > 0 && c > 0).then(|| at(g - 1, c - 1) + cost(g - 1, c - 1));
            let glyph = (g > 0).then(|| at(g - 1, c) + GAP);
            let char = (c > 0).then(|| at(g, c - 1) + GAP);
            let best = [both, glyph, char].into_iter().flatten().reduce(f64::min);
            costs[g * width + c] = best.unwrap_or(0.0);
        }
    }
    let (mut g, mut c) = (glyphs.len(), chars.len());
    let mut pairs = Vec::new();
    while g > 0 && c > 0 {
        let at = |g: usize, c: usize| costs[g * width + c];
        let here = at(g, c);
        if here >= at(g - 1, c - 1) + cost(g - 1, c - 1) - 1e-9 {
            (g, c) = (g - 1, c - 1);
            pairs.push((glyphs[g], chars[c]));
        } else if here >= at(g - 1, c) + GAP - 1e-9 {
            g -= 1;
        } else {
            c -= 1;
        }
    }
    pairs
}

/// The negative logarithm of the share of votes that the character has.
fn mismatch(votes: &HashMap<char, f64>, char: char) -> f64 {
    let all: f64 = votes.values().sum();
    let this = votes.get(&char).copied().unwrap_or(0.0);
    -((this + 0.1) / (all + 1.0)).ln()
}

/// Gives each glyph the character with the most votes, unless another glyph of its style has
/// more of them: two glyphs of a font are two characters, except for underlined ones. Then it
/// gets its next character, or one that looks like it.
fn assign(
    votes: &Votes,
    styles: &[usize],
    are_one_letter: impl Fn(usize, usize) -> bool,
) -> Vec<Option<char>> {
    let mut pairs: Vec<(f64, usize, char)> = Vec::new();
    for (glyph, votes) in votes.iter().enumerate() {
        pairs.extend(votes.iter().map(|(&char, &count)| (count, glyph, char)));
    }
    pairs.sort_by(|(a, g, c), (b, h, d)| b.total_cmp(a).then((g, c).cmp(&(h, d))));
    let mut assigned: Vec<Option<char>> = vec![None; votes.len()];
    // Of each style, the glyphs that first got the characters.
    let mut owners: HashMap<(usize, char), usize> = HashMap::new();
    for &(count, glyph, char) in &pairs {
        let is_likely = count >= MIN_SHARE * votes[glyph].values().sum::<f64>();
        if is_likely && assigned[glyph].is_none() {
            let owner = *owners.entry((styles[glyph], char)).or_insert(glyph);
            if owner == glyph || are_one_letter(owner, glyph) {
                assigned[glyph] = Some(char);
            }
        }
    }
    for (_, glyph, char) in pairs {
        if assigned[glyph].is_none() {
            let style = styles[glyph];
            let mut others = alike(char).filter(|&other| !owners.contains_key(&(style, other)));
            let char = others.next().unwrap_or(char);
            owners.insert((style, char), glyph);
            assigned[glyph] = Some(char);
        }
    }
    assigned
}

/// The characters that are taken for this one.
fn alike(char: char) -> impl Iterator<Item = char> {
    let groups = ALIKE.iter().filter(move |group| group.contains(char));
    groups
        .flat_map(|group| group.chars())
        .filter(move |&other| other != char)
}

/// A number for each glyph, the same for glyphs of one style, such as bold: letters and digits
/// that are beside each other in one colour have one style.
fn styles(glyphs: usize, neighbours: &HashSet<(usize, usize)>, votes: &Votes) -> Vec<usize> {
    let mut sets = DisjointSets::new(glyphs);
    let is_letter = |glyph: usize| most(&votes[glyph]).is_some_and(char::is_alphanumeric);
    for &(before, after) in neighbours {
        if is_letter(before) && is_letter(after) {
            sets.unite(before, after);
        }
    }
    (0..glyphs).map(|glyph| sets.find(glyph)).collect()
}

/// The character with the most votes.
fn most(votes: &HashMap<char, f64>) -> Option<char> {
    let most = votes
        .iter()
        .max_by(|(c, a), (d, b)| a.total_cmp(b).then(d.cmp(c)));
    most.map(|(&char, _)| char)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words whose glyphs are numbered by their letters, and what was read for them. The
    /// glyph `L` is an underlined `l`.
    fn decided(alphabet: &str, words: &[(&str, &str)]) -> String {
        let glyph = |char| alphabet.chars().position(|other| other == char).unwrap();
        let readings: Vec<Reading> = words
            .iter()
            .map(|(word, read)| Reading {
                glyphs: word.chars().map(glyph).collect(),
                chars: read.chars().collect(),
            })
            .collect();
        let pairs = readings
            .iter()
            .flat_map(|reading| reading.glyphs.windows(2));
        let neighbours = pairs.map(|pair| (pair[0], pair[1])).collect();
        let are_one_letter = |a: usize, b: usize| {
            let letters = [a, b].map(|glyph| alphabet.chars().nth(glyph).unwrap());
            letters == ['l', 'L'] || letters == ['L', 'l']
        };
        let chars = decide(
            alphabet.chars().count(),
            &readings,
            &neighbours,
            are_one_letter,
        );
        chars.into_iter().map(|char| char.unwrap_or('?')).collect()
    }

    #[test]
    fn the_majority_decides() {
        let words = [
            ("boot", "b0ot"),
            ("root", "root"),
            ("foo", "foo"),
            ("tor", "tor"),
        ];
        assert_eq!(decided("bortfx", &words), "bortf?");
    }

    #[test]
    fn lost_and_added_characters_do_not_matter() {
        let words = [
            ("0x0000", "0x000"),
            ("0xf", "0xf"),
            ("f00x", "f00xx"),
            ("x0f", "x0f"),
        ];
        assert_eq!(decided("0xf", &words), "0xf");
    }

    #[test]
    fn glyphs_of_a_style_are_different_characters() {
        let words = [("loll", "loll"), ("tell1", "telll"), ("le", "le")];
        assert_eq!(decided("lote1", &words), "lote1");
        // No word has both: another style, such as bold.
        let words = [("loll", "loll"), ("BOBB", "loll")];
        assert_eq!(decided("loBO", &words), "lolo");
    }

    #[test]
    fn an_underlined_letter_stays_that_letter() {
        let words = [
            ("loll", "loll"),
            ("Load", "load"),
            ("le", "le"),
            ("toLd", "told"),
        ];
        assert_eq!(decided("loLadet", &words), "loladet");
        // Some of its readings are wrong.
        let words = [
            ("loll", "loll"),
            ("Load", "load"),
            ("toLd", "to1d"),
            ("Le", "le"),
        ];
        assert_eq!(decided("loLadet", &words), "loladet");
    }
}
