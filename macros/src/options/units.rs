//! Durations (`"2s"`) and amounts of memory (`"64MiB"`) as users write them in options.
//!
//! The grammar of durations is that of `phalanx-policy`, by which the runtime reads them too.

use std::time::Duration;

use phalanx_policy::duration::{read, scaled};
use proc_macro2::TokenStream;
use quote::quote;

const MEMORY: &[(&str, u128)] =
    &[("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Reads a positive duration: an integer or a decimal number and one of the units ns, us, ms, s, m, h.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match read(text)? {
        Duration::ZERO => Err(format!("`{text}`: a duration must be greater than zero")),
        duration => Ok(duration),
    }
}

/// Reads a positive number of bytes: a number alone, or with one of the units KiB, MiB, GiB, TiB.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let wanted =
        "write a number of bytes, or a number and one of the units KiB, MiB, GiB, TiB, for example \"64MiB\"";
    let (bytes, _) =
        scaled(text, MEMORY).ok_or_else(|| format!("`{text}` is not an amount of memory: {wanted}"))?;
    match u64::try_from(bytes) {
        Ok(0) => Err(format!("`{text}`: a memory limit must be greater than zero")),
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
            assert!(duration(text).is_err_and(|e| e.contains("greater than zero")), "{text:?}");
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
