//! What the examples have in common: a unit of time, so that a person can watch the program that a test runs
//! quickly.

use std::time::Duration;
use std::{env, process};

/// The first argument: `50ms`, `2s`. A second if it is missing.
///
/// In the program only: an actor has no arguments, so the unit is passed on like any other value.
pub fn unit() -> Duration {
    match env::args().nth(1) {
        None => Duration::from_secs(1),
        Some(text) => duration(&text).unwrap_or_else(|| {
            eprintln!(
                "`{text}` is no duration; the first argument is the unit of time, for instance `50ms` or `2s`"
            );
            process::exit(2)
        }),
    }
}

/// The number of units in this time, with one digit after the point.
pub fn in_units(time: Duration, unit: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() / unit.as_secs_f64())
}

/// A duration above zero as programs are given it: `50ms`, `2s`.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, nanos) = match text.strip_suffix("ms") {
        Some(number) => (number, 1_000_000),
        None => (text.strip_suffix('s')?, 1_000_000_000),
    };
    let number: u64 = number.parse().ok().filter(|&number| number > 0)?;
    number.checked_mul(nanos).map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_a_number_of_seconds_or_of_thousandths() {
        assert_eq!(duration("50ms"), Some(Duration::from_millis(50)));
        assert_eq!(duration("2s"), Some(Duration::from_secs(2)));
        for text in ["", "2", "s", "0s", "-1s", "2m", "18446744073709551615s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
