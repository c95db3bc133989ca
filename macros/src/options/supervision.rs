//! Values of the options about supervision: when a child is restarted, how it is stopped, when it is
//! recycled.
//!
//! The words and the errors are those of the runtime, which reads such values too.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Path;

use super::units::{self, duration_expr};

/// `"5 in 10s"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Intensity {
    pub(crate) restarts: u32,
    pub(crate) window: Duration,
}

/// `"100ms..30s"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Restart {
    Permanent,
    Transient,
    Temporary,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Strategy {
    OneForOne,
    OneForAll,
    RestForOne,
    Dynamic,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AutoShutdown {
    Never,
    AnySignificant,
    AllSignificant,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shutdown {
    BrutalKill,
    Infinity,
    Timeout(Duration),
}

/// Whether queued messages are handled at a stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Drain {
    AtEnd,
    Always,
    Never,
}

/// When a process is replaced by a fresh one. With `None` everywhere, that is never.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Recycle {
    pub(crate) messages: Option<u64>,
    pub(crate) memory: Option<u64>,
    pub(crate) age: Option<Duration>,
    pub(crate) jitter: Option<u8>,
}

impl Intensity {
    pub(crate) fn parse(text: &str) -> Result<Intensity, String> {
        let wrong =
            format!("`{text}` is no intensity: write a number of restarts and a time, like \"5 in 10s\"");
        let Some((restarts, window)) = text.split_once(" in ") else { return Err(wrong) };
        // `parse` alone would take a sign.
        let is_number = restarts.bytes().all(|byte| byte.is_ascii_digit());
        let Some(restarts) = restarts.parse().ok().filter(|_| is_number) else { return Err(wrong) };
        match units::any_duration(window) {
            Ok(Duration::ZERO) => Err("the window of an intensity cannot be zero".to_owned()),
            Ok(window) => Ok(Intensity { restarts, window }),
            Err(error) => Err(format!("{wrong}; {error}")),
        }
    }

    /// Returns `5, Duration::from_secs(10)`.
    pub(crate) fn to_arguments(self) -> TokenStream {
        let (restarts, window) = (self.restarts, duration_expr(self.window));
        quote!(#restarts, #window)
    }

    pub(crate) fn to_expr(self, private: &Path) -> TokenStream {
        let arguments = self.to_arguments();
        quote!(#private::Intensity::new(#arguments))
    }
}

impl Backoff {
    pub(crate) fn parse(text: &str) -> Result<Backoff, String> {
        let wrong =
            format!("`{text}` is no backoff: write the shortest and the longest wait, like \"100ms..30s\"");
        let Some((min, max)) = text.split_once("..") else { return Err(wrong) };
        let read = |text| units::any_duration(text).map_err(|error| format!("{wrong}; {error}"));
        let (min, max) = (read(min)?, read(max)?);
        if min.is_zero() {
            return Err("a backoff cannot begin at zero; without one, restarts are immediate".to_owned());
        }
        if min > max {
            return Err(format!("the shortest wait of the backoff {text} is above its longest"));
        }
        Ok(Backoff { min, max })
    }

    /// Returns `min, max`.
    pub(crate) fn to_arguments(self) -> TokenStream {
        let (min, max) = (duration_expr(self.min), duration_expr(self.max));
        quote!(#min, #max)
    }

    pub(crate) fn to_expr(self, private: &Path) -> TokenStream {
        let arguments = self.to_arguments();
        quote!(#private::Backoff::new(#arguments))
    }
}

impl Restart {
    pub(crate) const WORDS: &[(&str, Restart)] = &[
        ("permanent", Restart::Permanent),
        ("transient", Restart::Transient),
        ("temporary", Restart::Temporary),
    ];

    pub(crate) fn to_expr(self, private: &Path) -> TokenStream {
        match self {
            Restart::Permanent => quote!(#private::Restart::Permanent),
            Restart::Transient => quote!(#private::Restart::Transient),
            Restart::Temporary => quote!(#private::Restart::Temporary),
        }
    }
}

impl Strategy {
    pub(crate) const WORDS: &[(&str, Strategy)] = &[
        ("one_for_one", Strategy::OneForOne),
        ("one_for_all", Strategy::OneForAll),
        ("rest_for_one", Strategy::RestForOne),
        ("dynamic", Strategy::Dynamic),
    ];

    /// Returns the name of the function of `Supervisor` for this strategy.
    pub(crate) fn constructor(self) -> &'static str {
        Strategy::WORDS.iter().find(|(_, strategy)| *strategy == self).map_or("one_for_one", |(word, _)| word)
    }
}

impl AutoShutdown {
    pub(crate) const WORDS: &[(&str, AutoShutdown)] = &[
        ("never", AutoShutdown::Never),
        ("any_significant", AutoShutdown::AnySignificant),
        ("all_significant", AutoShutdown::AllSignificant),
    ];

    pub(crate) fn to_expr(self, private: &Path) -> TokenStream {
        match self {
            AutoShutdown::Never => quote!(#private::AutoShutdown::Never),
            AutoShutdown::AnySignificant => quote!(#private::AutoShutdown::AnySignificant),
            AutoShutdown::AllSignificant => quote!(#private::AutoShutdown::AllSignificant),
        }
    }
}

impl Shutdown {
    pub(crate) const WORDS: &[(&str, Shutdown)] =
        &[("brutal_kill", Shutdown::BrutalKill), ("infinity", Shutdown::Infinity)];

    pub(crate) fn to_expr(self, private: &Path) -> TokenStream {
        match self {
            Shutdown::BrutalKill => quote!(#private::Shutdown::BrutalKill),
            Shutdown::Infinity => quote!(#private::Shutdown::Infinity),
            Shutdown::Timeout(limit) => {
                let limit = duration_expr(limit);
                quote!(#private::Shutdown::Timeout(#limit))
            }
        }
    }
}

impl Drain {
    pub(crate) const WORDS: &[(&str, Drain)] =
        &[("at_end", Drain::AtEnd), ("always", Drain::Always), ("never", Drain::Never)];

    pub(crate) fn to_expr(self, private: &Path) -> TokenStream {
        match self {
            Drain::AtEnd => quote!(#private::Drain::AtEnd),
            Drain::Always => quote!(#private::Drain::Always),
            Drain::Never => quote!(#private::Drain::Never),
        }
    }
}

impl Recycle {
    /// Returns a constant expression that takes what is not set from `base`, or `None` if nothing is set.
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
        assert_eq!(Intensity::parse("0 in 1.5s"), Ok(Intensity { restarts: 0, window }));
        for text in
            ["", "5", "5 in", "5in10s", "5 in 10", "-5 in 10s", "+5 in 10s", "5  in 10s", "4294967296 in 1s"]
        {
            assert!(Intensity::parse(text).is_err_and(|error| error.contains("is no intensity")), "{text:?}");
        }
        assert!(Intensity::parse("5 in 0s").is_err_and(|error| error.contains("cannot be zero")));
    }

    #[test]
    fn backoffs_are_two_times() {
        let (min, max) = (Duration::from_millis(1), Duration::from_secs(60));
        assert_eq!(Backoff::parse("1ms..1m"), Ok(Backoff { min, max }));
        for text in ["", "1s", "1s..", "..1s", "1s...2s", "1s .. 2s", "1s-2s"] {
            assert!(Backoff::parse(text).is_err_and(|error| error.contains("is no backoff")), "{text:?}");
        }
        assert!(Backoff::parse("0s..1s").is_err_and(|error| error.contains("begin at zero")));
        assert!(Backoff::parse("2s..1s").is_err_and(|error| error.contains("above its longest")));
    }
}
