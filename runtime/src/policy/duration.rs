//! Durations as users write them: `"100ms"`, `"1.5s"`.
//!
//! The grammar is that of the attributes (`macros/src/units.rs`), with nanoseconds, so that every duration can be written.

use std::time::Duration;

const UNITS: &[(&str, u64)] = &[
    ("h", 3600 * 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads an integer or a decimal number with a unit. `None` also for what is not a whole number of nanoseconds, or over 500 years.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let &(_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (number, ""),
    };
    // More digits would overflow below, and mean nothing at the precision of a nanosecond.
    if whole.is_empty() || whole.len() > 20 || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let scaled = format!("{whole}{fraction}").parse::<u128>().ok()?.checked_mul(u128::from(factor))?;
    let divisor = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    if !scaled.is_multiple_of(divisor) {
        return None;
    }
    Some(Duration::from_nanos(u64::try_from(scaled / divisor).ok()?))
}

/// Writes a duration in the largest unit that makes it a whole number; [`parse`] reads it back (up to 500 years).
pub(super) fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let whole = |factor: u64| nanos.is_multiple_of(u128::from(factor));
    match UNITS.iter().find(|&&(_, factor)| nanos > 0 && whole(factor)) {
        Some((unit, factor)) => format!("{}{unit}", nanos / u128::from(*factor)),
        None => "0s".to_owned(),
    }
}

/// A duration on the clock. More than 500 years is as good as for ever.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(parse("7ns"), Some(Duration::from_nanos(7)));
        assert_eq!(parse("250us"), Some(Duration::from_micros(250)));
        assert_eq!(parse("0.1s"), Some(Duration::from_millis(100)));
        assert_eq!(parse("1.5h"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_not_exactly_a_duration_is_refused() {
        for text in [
            "",
            "s",
            "2",
            "2 s",
            "2sec",
            "-2s",
            "+2s",
            "1.s",
            ".5s",
            "1.2.3s",
            "1e3s",
            "2S",
            "2s ",
            "٣s",
            "1.5ns",
            "0.0001us",
            "99999999999999999999h",
            "999999999999999999999h",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn durations_are_written_in_the_largest_unit_that_fits() {
        let written: Vec<String> = [0, 1_500_000_000, 60_000_000_000, 7_200_000_000_000]
            .map(Duration::from_nanos)
            .map(format)
            .into();
        assert_eq!(written, ["0s", "1500ms", "1m", "2h"]);
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(nanos: u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(duration)), Some(duration));
        }
    }
}
