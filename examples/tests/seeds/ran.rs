//! A run of one of the programs, and checks of its lines that do not depend on speed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::support::run;

/// The units of time of a run, in milliseconds. The longer ones are for checks that depend on time: on a busy
/// machine starts take longer, but not ten times longer.
const UNITS: [u64; 3] = [50, 250, 1000];

/// A program that has ended well.
pub struct Ran {
    pub lines: Vec<String>,
    /// Its standard error.
    pub said: Vec<String>,
    /// How long it took, in units.
    pub units: f64,
}

/// Runs a program with a short unit of time. It must end with 0, write nothing to standard error, and leave
/// nothing.
#[track_caller]
pub fn ran(program: &str, args: &[&str]) -> Ran {
    ran_aloud(program, args).quiet()
}

/// Runs a program as [`ran`] does, but lets it write to standard error.
#[track_caller]
pub fn ran_aloud(program: &str, args: &[&str]) -> Ran {
    ran_with(program, UNITS[0], args)
}

/// Runs a program and checks its pace; if the check fails with a short unit, it must pass with a longer one.
pub fn paced(program: &str, args: &[&str], check: impl Fn(&Ran)) {
    in_units(|unit| ran_with(program, unit, args).quiet(), check);
}

/// Checks the pace as [`paced`] does, but lets the program write to standard error.
pub fn paced_aloud(program: &str, args: &[&str], check: impl Fn(&Ran)) {
    in_units(|unit| ran_with(program, unit, args), check);
}

fn in_units(run: impl Fn(u64) -> Ran, check: impl Fn(&Ran)) {
    for unit in UNITS {
        let ran = run(unit);
        match catch_unwind(AssertUnwindSafe(|| check(&ran))) {
            Ok(()) => return,
            Err(failure) if unit == UNITS[UNITS.len() - 1] => resume_unwind(failure),
            Err(_) => eprintln!("again, with a longer unit"),
        }
    }
}

#[track_caller]
fn ran_with(program: &str, unit: u64, args: &[&str]) -> Ran {
    let start = Instant::now();
    let ended = run(program, &[&[&*format!("{unit}ms")], args].concat());
    let units = start.elapsed().as_secs_f64() / Duration::from_millis(unit).as_secs_f64();
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
    let [lines, said] = [&ended.stdout, &ended.stderr].map(|text| text.lines().map(str::to_owned).collect());
    Ran { lines, said, units }
}

impl Ran {
    #[track_caller]
    fn quiet(self) -> Ran {
        assert_eq!(self.said, [""; 0]);
        self
    }

    /// The place of the one line that begins like this.
    #[track_caller]
    pub fn at(&self, start: &str) -> usize {
        let places: Vec<_> = (0..self.lines.len()).filter(|&at| self.lines[at].starts_with(start)).collect();
        assert_eq!(places.len(), 1, "lines that begin with `{start}`: {:#?}", self.lines);
        places[0]
    }

    /// The rest of the one line that begins like this.
    #[track_caller]
    pub fn rest(&self, start: &str) -> &str {
        &self.lines[self.at(start)][start.len()..]
    }

    /// The rests of all lines that begin like this.
    pub fn rests(&self, start: &str) -> Vec<&str> {
        self.lines.iter().filter_map(|line| line.strip_prefix(start)).collect()
    }

    /// Asserts that the line that begins with the first comes before that of the second, and so on.
    #[track_caller]
    pub fn in_order(&self, starts: &[&str]) {
        let places: Vec<_> = starts.iter().map(|start| self.at(start)).collect();
        assert!(places.is_sorted(), "{starts:?}: {:#?}", self.lines);
    }
}

/// The numbers in a line.
pub fn numbers(line: &str) -> Vec<u32> {
    line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
}

/// The number of units in a line like "it took 2.1 units".
#[track_caller]
pub fn units(line: &str) -> f64 {
    let mut words = line.split_ascii_whitespace();
    words.find_map(|word| word.parse().ok()).unwrap_or_else(|| panic!("no number in `{line}`"))
}

pub fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}
