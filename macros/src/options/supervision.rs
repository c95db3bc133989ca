//! Values of the options about supervision: when a child is restarted, how it is stopped, when it is
//! recycled.
//!
//! The words, the grammars and the errors are those of `phalanx-policy`, by which the runtime reads such
//! values too.

use std::time::Duration;

use phalanx_policy::duration;
pub(crate) use phalanx_policy::{
    AutoShutdown, Backoff, Destination, Drain, Intensity, Restart, Shutdown, SpecError, Strategy,
};
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::Path;

use super::units::duration_expr;

/// When a process is replaced by a fresh one. With `None` everywhere, that is never.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Recycle {
    pub(crate) messages: Option<u64>,
    pub(crate) memory: Option<u64>,
    pub(crate) age: Option<Duration>,
    pub(crate) jitter: Option<u8>,
}

/// Reads `"5 in 10s"`. If the time is wrong, the error says why.
pub(crate) fn intensity(text: &str) -> Result<Intensity, String> {
    text.parse().map_err(|error| {
        let window = text
            .split_once(" in ")
            .filter(|(restarts, _)| format!("{restarts} in 1s").parse::<Intensity>().is_ok());
        explained(&error, window.map(|(_, window)| window))
    })
}

/// Reads `"100ms..30s"`. If a time is wrong, the error says why, of the first wrong one.
pub(crate) fn backoff(text: &str) -> Result<Backoff, String> {
    text.parse().map_err(|error| {
        let times =
            text.split_once("..").map(|(min, max)| if duration::read(min).is_err() { min } else { max });
        explained(&error, times)
    })
}

fn explained(error: &SpecError, time: Option<&str>) -> String {
    match time.and_then(|time| duration::read(time).err()) {
        Some(why) => format!("{error}; {why}"),
        None => error.to_string(),
    }
}

/// Returns the name of the function of `Supervisor` for this strategy.
pub(crate) fn constructor(of: Strategy) -> &'static str {
    Strategy::WORDS.iter().find(|(_, strategy)| *strategy == of).map_or("one_for_one", |(word, _)| word)
}

/// A value that the expansion has as an expression of the runtime's type.
pub(crate) trait ToExpr {
    /// Returns the expression, by the path that everything in the expansion comes from.
    fn to_expr(&self, private: &Path) -> TokenStream;
}

macro_rules! by_their_names {
    ($($type:ident)+) => {$(
        impl ToExpr for $type {
            fn to_expr(&self, private: &Path) -> TokenStream {
                let variant = format_ident!("{self:?}");
                quote!(#private::$type::#variant)
            }
        }
    )+};
}

by_their_names!(Restart AutoShutdown Drain Destination);

impl ToExpr for Shutdown {
    fn to_expr(&self, private: &Path) -> TokenStream {
        match *self {
            Shutdown::BrutalKill => quote!(#private::Shutdown::BrutalKill),
            Shutdown::Infinity => quote!(#private::Shutdown::Infinity),
            Shutdown::Timeout(limit) => {
                let limit = duration_expr(limit);
                quote!(#private::Shutdown::Timeout(#limit))
            }
        }
    }
}

/// A value that a function of the runtime takes in parts.
pub(crate) trait ToArguments {
    /// Returns the arguments, with commas between them.
    fn to_arguments(&self) -> TokenStream;
}

impl ToArguments for Intensity {
    fn to_arguments(&self) -> TokenStream {
        let (restarts, window) = (self.restarts, duration_expr(self.window));
        quote!(#restarts, #window)
    }
}

impl ToArguments for Backoff {
    fn to_arguments(&self) -> TokenStream {
        let (min, max) = (duration_expr(self.min), duration_expr(self.max));
        quote!(#min, #max)
    }
}

impl ToExpr for Intensity {
    fn to_expr(&self, private: &Path) -> TokenStream {
        let arguments = self.to_arguments();
        quote!(#private::Intensity::new(#arguments))
    }
}

impl ToExpr for Backoff {
    fn to_expr(&self, private: &Path) -> TokenStream {
        let arguments = self.to_arguments();
        quote!(#private::Backoff::new(#arguments))
    }
}

impl Recycle {
    /// Returns a constant expression with the unset limits from `base`, or `None` if no limit is set.
    pub(crate) fn to_expr(self, private: &Path, base: &TokenStream) -> Option<TokenStream> {
        let some = |value: TokenStream| quote!(::core::option::Option::Some(#value));
        let fields: Vec<TokenStream> = [
            self.messages.map(ToTokens::into_token_stream).map(some).map(|value| quote!(messages: #value,)),
            self.memory.map(ToTokens::into_token_stream).map(some).map(|value| quote!(memory: #value,)),
            self.age.map(duration_expr).map(some).map(|value| quote!(age: #value,)),
            self.jitter.map(|percent| quote!(jitter: #percent,)),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!fields.is_empty()).then(|| quote!(#private::Recycle { #(#fields)* ..#base }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intensities_are_a_number_and_a_time() {
        let window = Duration::from_millis(1500);
        assert_eq!(intensity("0 in 1.5s"), Ok(Intensity { restarts: 0, window }));
        for text in
            ["", "5", "5 in", "5in10s", "5 in 10", "-5 in 10s", "+5 in 10s", "5  in 10s", "4294967296 in 1s"]
        {
            assert!(intensity(text).is_err_and(|error| error.contains("is no intensity")), "{text:?}");
        }
        assert!(intensity("5 in 0s").is_err_and(|error| error.contains("cannot be zero")));
    }

    #[test]
    fn backoffs_are_two_times() {
        let (min, max) = (Duration::from_millis(1), Duration::from_secs(60));
        assert_eq!(backoff("1ms..1m"), Ok(Backoff { min, max }));
        for text in ["", "1s", "1s..", "..1s", "1s...2s", "1s .. 2s", "1s-2s"] {
            assert!(backoff(text).is_err_and(|error| error.contains("is no backoff")), "{text:?}");
        }
        assert!(backoff("0s..1s").is_err_and(|error| error.contains("begin at zero")));
        assert!(backoff("2s..1s").is_err_and(|error| error.contains("above its longest")));
    }
}
