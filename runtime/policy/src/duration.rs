//! Durations as users write them: `"100ms"`, `"1.5s"`.

use std::time::Duration;

const UNITS: &[(&str, u128)] = &[
    ("h", 3600 * 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads a duration: an integer or a decimal number and one of the units ns, us, ms, s, m, h.
///
/// # Errors
/// What is wrong with it, in words: also that it is not a whole number of nanoseconds, or over 500 years.
pub fn read(text: &str) -> Result<Duration, String> {
    let wanted = "write a number and one of the units ns, us, ms, s, m, h, for example \"250ms\" or \"1.5s\"";
    let (nanos, rest) = scaled(text, UNITS).ok_or_else(|| format!("`{text}` is not a duration: {wanted}"))?;
    if rest {
        return Err(format!(
            "`{text}` is not a whole number of nanoseconds, and nothing shorter can be measured"
        ));
    }
    let nanos = u64::try_from(nanos).map_err(|_| format!("`{text}` is too long: the limit is 500 years"))?;
    Ok(Duration::from_nanos(nanos))
}

pub(crate) fn parse(text: &str) -> Option<Duration> {
    read(text).ok()
}

/// Returns `"1.5s"` in the smallest unit of `units`, and whether a fraction of that unit is left. The
/// arithmetic is that of integers, so that `"0.1s"` is exactly 100 ms.
pub fn scaled(text: &str, units: &[(&str, u128)]) -> Option<(u128, bool)> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (number, ""),
    };
    // More digits would overflow below, and mean nothing at the precision of a nanosecond.
    if whole.is_empty() || whole.len() > 20 || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let decimals = u32::try_from(fraction.len()).ok()?;
    let (scaled, divisor) = (digits.checked_mul(*factor)?, 10_u128.pow(decimals));
    Some((scaled / divisor, !scaled.is_multiple_of(divisor)))
}

/// Writes a duration in the largest unit that makes it a whole number; [`read`] reads it back (up to 500
/// years).
pub(crate) fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let whole = |factor| nanos.is_multiple_of(factor);
    match UNITS.iter().find(|&&(_, factor)| nanos > 0 && whole(factor)) {
        Some((unit, factor)) => format!("{}{unit}", nanos / factor),
        None => "0s".to_owned(),
    }
}

/// A duration on the clock. More than 500 years is as good as for ever.
pub(crate) fn nanos(duration: Duration) -> u64 {
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
