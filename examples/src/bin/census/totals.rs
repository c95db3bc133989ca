//! The actor that adds up what the parsers found, per crate.

use std::collections::BTreeMap;

use phalanx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::count::Counts;

/// The counts of one crate, or of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sum {
    /// Files that were surveyed.
    pub(crate) files: u64,
    /// The sum of their counts.
    pub(crate) counts: Counts,
}

/// The result of the whole survey.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// All crates together.
    pub(crate) total: Sum,
    /// Each crate by its folder, the one with the most lines first.
    pub(crate) crates: Vec<(String, Sum)>,
}

/// Adds up, in a process of its own.
#[actor]
pub(crate) struct Totals {
    crates: BTreeMap<String, Sum>,
}

#[actor]
impl Totals {
    /// Adds one surveyed file of the crate in folder `krate`.
    #[tell]
    pub(crate) fn add(&mut self, krate: String, counts: Counts) {
        self.include(krate, counts);
    }

    /// The report on everything added so far.
    pub(crate) fn report(&self) -> Report {
        self.sorted()
    }
}

impl Totals {
    /// Nothing counted yet.
    pub(crate) fn empty() -> Totals {
        Totals { crates: BTreeMap::new() }
    }

    fn include(&mut self, krate: String, counts: Counts) {
        let sum = self.crates.entry(krate).or_default();
        sum.files += 1;
        sum.counts += counts;
    }

    fn sorted(&self) -> Report {
        let mut total = Sum::default();
        for sum in self.crates.values() {
            total.files += sum.files;
            total.counts += sum.counts;
        }
        let mut crates: Vec<_> =
            self.crates.iter().map(|(krate, sum)| (krate.clone(), sum.clone())).collect();
        // Stable, so crates of one size stay in the order of their names.
        crates.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.counts.lines));
        Report { total, crates }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crate_with_the_most_lines_comes_first_and_equals_are_in_order() {
        let mut totals = Totals::empty();
        for (krate, lines) in [("b", 5), ("a", 5), ("c", 4), ("c", 4)] {
            totals.include(krate.to_owned(), Counts { lines, ..Counts::default() });
        }
        let report = totals.sorted();
        let names: Vec<_> = report.crates.iter().map(|(name, sum)| (name.as_str(), sum.files)).collect();
        assert_eq!(names, [("c", 2), ("a", 1), ("b", 1)]);
        assert_eq!((report.total.files, report.total.counts.lines), (4, 18));
    }
}
