//! The option that was meant by an unknown word.

/// Returns the key that is nearest to `word`, if it is near enough to have been meant.
pub(super) fn nearest<'a>(word: &str, keys: &[&'a str]) -> Option<&'a str> {
    let part = |key: &&&str| key.split('_').any(|part| part == word);
    // A third of the letters may be wrong, but one at least.
    let limit = (word.chars().count() / 3).max(1);
    let by_distance = keys.iter().map(|key| (distance(word, key), *key));
    let near = by_distance.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance);
    near.map(|(_, key)| key).or_else(|| keys.iter().find(part).copied())
}

/// Returns how many letters are to be inserted, removed, replaced, or swapped with their neighbour, to make
/// `to` of `from`.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    // `rows[i][j]` is the distance between the first `i` letters and the first `j`.
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters() {
        for (from, to, letters) in
            [("", "", 0), ("", "nice", 4), ("deadlin", "deadline", 1), ("naem", "name", 1), ("cat", "dog", 3)]
        {
            assert_eq!((distance(from, to), distance(to, from)), (letters, letters), "{from} {to}");
        }
    }

    #[test]
    fn a_word_that_is_near_to_a_key_means_it_and_others_mean_none() {
        let keys = ["name", "deadline", "restart", "recycle_above", "max_children", "timeout"];
        for (word, meant) in [
            ("deadlin", Some("deadline")),
            ("dedline", Some("deadline")),
            ("restarts", Some("restart")),
            ("time_out", Some("timeout")),
            ("children", Some("max_children")),
            ("naem", Some("name")),
            ("threads", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, &keys), meant, "{word}");
        }
    }
}
