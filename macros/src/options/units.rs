//! Durations (`"2s"`) and amounts of memory (`"64MiB"`) as users write them in options.
//!
//! The grammar of durations is that of the runtime, which reads them too.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

const TIME: &[(&str, u128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
];

const MEMORY: &[(&str, u128)] =
    &[("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Reads a positive duration: an integer or a decimal number and one of the units ns, us, ms, s, m, h.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match any_duration(text)? {
        Duration::ZERO => Err(format!("`{text}` is no time at all: a duration must be positive")),
        duration => Ok(duration),
    }
}

/// Reads a duration as `duration` does, and accepts zero.
pub(crate) fn any_duration(text: &str) -> Result<Duration, String> {
    let wanted = "write a number and one of the units ns, us, ms, s, m, h, for example \"250ms\" or \"1.5s\"";
    let (nanos, rest) = scaled(text, TIME).ok_or_else(|| format!("`{text}` is not a duration: {wanted}"))?;
    if rest {
        return Err(format!(
            "`{text}` is not a whole number of nanoseconds, and nothing shorter can be measured"
        ));
    }
    let nanos = u64::try_from(nanos).map_err(|_| format!("`{text}` is too long: the limit is 500 years"))?;
    Ok(Duration::from_nanos(nanos))
}

/// Reads a positive number of bytes: a number alone, or with one of the units KiB, MiB, GiB, TiB.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let wanted =
        "write a number of bytes, or a number and one of the units KiB, MiB, GiB, TiB, for example \"64MiB\"";
    let (bytes, _) =
        scaled(text, MEMORY).ok_or_else(|| format!("`{text}` is not an amount of memory: {wanted}"))?;
    match u64::try_from(bytes) {
        Ok(0) => Err(format!("`{text}` is no memory at all: the limit must be positive")),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err(format!("`{text}` is more than can be addressed")),
    }
}

/// Returns a duration as a constant expression, in the coarsest unit that holds it.
pub(crate) fn duration_expr(duration: Duration) -> TokenStream {
    let (secs, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if nanos == 0 {
        return quote!(::core::time::Duration::from_secs(#secs));
    }
    quote!(::core::time::Duration::new(#secs, #nanos))
}

/// Returns `"1.5s"` in the smallest unit of `units`, and whether a fraction of that unit is left. The
/// arithmetic is that of integers, so that `"0.1s"` is exactly 100 ms.
fn scaled(text: &str, units: &[(&str, u128)]) -> Option<(u128, bool)> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (number, ""),
    };
    // More digits would overflow below, and are beyond the precision of a nanosecond.
    if whole.is_empty() || whole.len() > 20 || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let decimals = u32::try_from(fraction.len()).ok()?;
    let (scaled, divisor) = (digits.checked_mul(*factor)?, 10u128.pow(decimals));
    Some((scaled / divisor, !scaled.is_multiple_of(divisor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("7ns"), Ok(Duration::from_nanos(7)));
        assert_eq!(duration("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(duration("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
    }

    #[test]
    fn decimal_durations_are_exact() {
        assert_eq!(duration("0.1s"), Ok(Duration::from_millis(100)));
        assert_eq!(duration("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("0.001ms"), Ok(Duration::from_micros(1)));
    }

    #[test]
    fn what_is_not_a_positive_duration_is_refused() {
        for text in
            ["", "s", "2", "2 s", "2sec", "-2s", "+2s", "1.s", ".5s", "1.2.3s", "1e3s", "2S", "2s ", "٣s"]
        {
            assert!(duration(text).is_err(), "{text:?} was accepted");
        }
        for text in ["0s", "0.0h"] {
            assert!(duration(text).is_err_and(|e| e.contains("positive")), "{text:?}");
        }
        for text in ["0.0001us", "1.5ns"] {
            assert!(duration(text).is_err_and(|e| e.contains("nanoseconds")), "{text:?}");
        }
        assert!(duration("99999999999999999999h").is_err());
        assert!(duration("999999999999999999999h").is_err());
    }

    #[test]
    fn memory_is_bytes_or_a_number_and_a_binary_unit() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("512KiB"), Ok(512 << 10));
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("1GiB"), Ok(1 << 30));
        assert_eq!(bytes("1.5GiB"), Ok(3 << 29));
        assert_eq!(bytes("2TiB"), Ok(2 << 40));
    }

    #[test]
    fn what_is_not_an_amount_of_memory_is_refused() {
        for text in
            ["", "MiB", "64MB", "64M", "64 MiB", "-1", "1.", "0x10", "0", "0MiB", "99999999999999999999TiB"]
        {
            assert!(bytes(text).is_err(), "{text:?} was accepted");
        }
    }
}
