//! Options of an annotation, `#[actor(name = "cache", mailbox = 64, daemon)]`: reading the list, checking it,
//! and passing it to the runtime.

mod entry;
mod expr;
pub(crate) mod idempotent;
mod nearest;
pub(crate) mod supervision;
mod table;
pub(crate) mod units;

pub(crate) use table::{Options, Place};

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Path, Token, parse_quote};

use crate::errors::Errors;
use entry::Entry;
use expr::Base;
use supervision::Restart;

impl Options {
    /// Reads the options at `place`. A wrong one is noted and left out; the others count.
    pub(crate) fn parse(place: Place, tokens: TokenStream, errors: &mut Errors) -> Options {
        let mut options = Options::default();
        let entries = Punctuated::<Entry, Token![,]>::parse_terminated.parse2(tokens);
        let mut seen: Vec<Entry> = Vec::new();
        for entry in errors.ok(entries).into_iter().flatten() {
            let (key, keys) = (entry.key.to_string(), place.keys());
            if let Some(name) = renamed(&key).filter(|name| keys.contains(name)) {
                errors.at(&entry.key, format!("the option `{key}` is called `{name}`"));
            } else if !keys.contains(&key.as_str()) {
                errors.at(&entry.key, unknown(&key, &keys, place));
            } else if seen.iter().any(|seen| seen.key == entry.key) {
                errors.at(&entry.key, format!("`{key}` is given twice: remove one of the two"));
            } else {
                let result = options.set(&entry);
                errors.ok(result);
            }
            seen.push(entry);
        }
        options.given = seen.into_iter().map(|entry| entry.key).collect();
        options.check(place, errors);
        options
    }

    /// Returns the key of an option, if the option was given.
    pub(crate) fn key(&self, key: &str) -> Option<&Ident> {
        self.given.iter().find(|given| *given == key)
    }

    /// Notes options that contradict each other, at the key that came second.
    fn check(&self, place: Place, errors: &mut Errors) {
        let mut later = |one: &str, other: &str, message: &str| {
            if let Some(key) = self.given.iter().rfind(|key| *key == one || *key == other) {
                errors.at(key, message);
            }
        };
        let recycles =
            self.recycle.messages.is_some() || self.recycle.memory.is_some() || self.recycle.age.is_some();
        if self.restart == Some(Restart::Temporary) && self.spare == Some(true) && !recycles {
            let message = "what is temporary gets no next process, so it needs no spare; write `restart = transient`, or `permanent`";
            later("restart", "spare", message);
        }
        // The check of the supervisor notes it for a child, with the name of the child.
        let nameless = !matches!(place, Place::Child);
        if nameless && self.restart == Some(Restart::Permanent) && self.significant == Some(true) {
            let message = "what is permanent cannot be significant: it never ends by itself; write `restart = transient`, or `temporary`";
            later("significant", "significant", message);
        }
    }

    /// Returns the path that everything in the expansion comes from.
    pub(crate) fn private(&self) -> Path {
        match &self.krate {
            Some(krate) => parse_quote!(#krate::__private),
            None => parse_quote!(::phalanx::__private),
        }
    }

    /// Returns the options as a constant expression of the runtime's type `Options`.
    pub(crate) fn to_expr(&self) -> TokenStream {
        let private = self.private();
        self.to_expr_over(&quote!(#private::Options::DEFAULT), &quote!(#private::Recycle::NEVER))
    }

    /// Returns the options as `to_expr` does, with `base` and `recycle` as the expressions of the unset ones.
    pub(crate) fn to_expr_over(&self, base: &TokenStream, recycle: &TokenStream) -> TokenStream {
        let private = self.private();
        let fields = self.to_fields(&Base { private: &private, recycle });
        match fields.is_empty() {
            true => base.clone(),
            false => quote!(#private::Options { #(#fields)* ..#base }),
        }
    }
}

/// Returns what an option is called that had another name.
fn renamed(key: &str) -> Option<&'static str> {
    match key {
        "start" => Some("start_timeout"),
        "grace" => Some("shutdown"),
        _ => None,
    }
}

/// Returns the refusal of a word that is no option at `place`, which has those of `keys`.
fn unknown(word: &str, keys: &[&str], place: Place) -> String {
    let meant = nearest::nearest(word, keys);
    let meant = meant.map(|key| format!("did you mean `{key}`? ")).unwrap_or_default();
    let known = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    format!("unknown option `{word}`: {meant}{} takes {known}", place.title())
}

/// Reads the options of a helper attribute such as `#[tell]` or `#[tell(deadline = "1s")]`.
pub(crate) fn handler_options(attribute: &syn::Attribute, errors: &mut Errors) -> Options {
    match &attribute.meta {
        syn::Meta::Path(_) => Options::default(),
        syn::Meta::List(list) => Options::parse(Place::Handler, list.tokens.clone(), errors),
        syn::Meta::NameValue(pair) => {
            errors.push(syn::Error::new(
                pair.span(),
                "options stand in parentheses: `#[tell(deadline = \"1s\")]`",
            ));
            Options::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::supervision::{Backoff, Destination, Drain, Intensity, Recycle, Shutdown};
    use super::*;

    fn parsed(place: Place, tokens: TokenStream) -> (Options, String) {
        let mut errors = Errors::default();
        let options = Options::parse(place, tokens, &mut errors);
        (options, errors.into_tokens().to_string())
    }

    #[test]
    fn all_options_of_an_actor_are_read() {
        let (options, errors) = parsed(
            Place::ActorStruct,
            quote!(
                name = "cache",
                mailbox = 65535,
                daemon = true,
                deadline = "250us",
                start_timeout = "1s",
                shutdown = "2m",
                timeout = "1h",
                memory = "1GiB",
                crate = a::b,
                no_derive,
            ),
        );
        assert_eq!(errors, "");
        assert_eq!(options.name.map(|name| name.value()).as_deref(), Some("cache"));
        assert_eq!(
            (options.mailbox, options.daemon, options.no_derive),
            (Some(65535), Some(true), Some(true))
        );
        assert_eq!(options.deadline, Some(Duration::from_micros(250)));
        assert_eq!(options.start_timeout, Some(Duration::from_secs(1)));
        assert_eq!(options.shutdown, Some(Shutdown::Timeout(Duration::from_secs(120))));
        assert_eq!(options.timeout, Some(Duration::from_secs(3600)));
        assert_eq!(options.memory, Some(1 << 30));
        assert_eq!(options.krate, Some(parse_quote!(a::b)));
    }

    #[test]
    fn what_is_left_out_stays_open() {
        let (options, errors) = parsed(Place::Task, quote!());
        assert_eq!(errors, "");
        assert!(options.daemon.is_none() && options.name.is_none() && options.memory.is_none());
        assert_eq!(options.to_expr().to_string(), quote!(::phalanx::__private::Options::DEFAULT).to_string());
    }

    #[test]
    fn all_that_is_said_about_supervision_is_read() {
        let (options, errors) = parsed(
            Place::ActorStruct,
            quote!(
                restart = transient,
                intensity = "5 in 10s",
                backoff = "100ms..30s",
                shutdown = brutal_kill,
                significant,
                recycle_after = 1000,
                recycle_above = "500MiB",
                recycle_at_age = "1h",
                recycle_jitter = 10,
                drain = always
            ),
        );
        assert_eq!((options.drain, errors.as_str()), (Some(Drain::Always), ""));
        let (ten, thirty) = (Duration::from_secs(10), Duration::from_secs(30));
        assert_eq!((options.restart, options.significant), (Some(Restart::Transient), Some(true)));
        assert_eq!(options.intensity, Some(Intensity { restarts: 5, window: ten }));
        assert_eq!(options.backoff, Some(Backoff { min: Duration::from_millis(100), max: thirty }));
        assert_eq!(options.shutdown, Some(Shutdown::BrutalKill));
        let age = Some(Duration::from_secs(3600));
        let recycle = Recycle { messages: Some(1000), memory: Some(500 << 20), age, jitter: Some(10) };
        assert_eq!(options.recycle, recycle);
    }

    #[test]
    fn contradictions_are_refused() {
        let (_, errors) = parsed(Place::Task, quote!(significant, restart = permanent));
        assert!(errors.contains("cannot be significant"), "{errors}");
        assert_eq!(parsed(Place::Task, quote!(significant = false, restart = permanent)).1, "");
    }

    #[test]
    fn a_niceness_is_a_number_of_either_sign() {
        for (tokens, niceness) in [(quote!(nice = 19), 19), (quote!(nice = -20), -20), (quote!(nice = 0), 0)]
        {
            let (options, errors) = parsed(Place::Task, tokens);
            assert_eq!((options.nice, errors.as_str()), (Some(niceness), ""));
        }
        for tokens in
            [quote!(nice), quote!(nice = 20), quote!(nice = -21), quote!(nice = "5"), quote!(nice = !5)]
        {
            assert!(parsed(Place::Task, tokens.clone()).1.contains("-20 to 19"), "{tokens} was accepted");
        }
    }

    #[test]
    fn output_goes_to_one_of_three_places() {
        for (tokens, output) in [
            (quote!(output = log), Destination::Log),
            (quote!(output = inherit), Destination::Inherit),
            (quote!(output = null), Destination::Null),
        ] {
            let (options, errors) = parsed(Place::Task, tokens);
            assert_eq!((options.output, errors.as_str()), (Some(output), ""));
        }
        for tokens in [quote!(output), quote!(output = "log"), quote!(output = pipe)] {
            assert!(parsed(Place::Task, tokens.clone()).1.contains("`log`"), "{tokens} was accepted");
        }
    }

    #[test]
    fn a_spare_is_for_who_has_a_next_process() {
        for tokens in
            [quote!(spare), quote!(spare, restart = transient), quote!(spare = true, recycle_after = 9)]
        {
            let (options, errors) = parsed(Place::ActorStruct, tokens);
            assert_eq!((options.spare, errors.as_str()), (Some(true), ""));
        }
        let (_, errors) = parsed(Place::Child, quote!(restart = temporary, spare));
        assert!(errors.contains("no next process"), "{errors}");
        assert_eq!(parsed(Place::ActorStruct, quote!(restart = temporary, spare = false)).1, "");
    }

    #[test]
    fn memory_may_be_a_plain_number() {
        let (options, errors) = parsed(Place::ActorStruct, quote!(memory = 4_096));
        assert_eq!((options.memory, errors.as_str()), (Some(4096), ""));
    }

    #[test]
    fn a_wrong_option_leaves_the_others_and_every_error_is_kept() {
        let (options, errors) = parsed(
            Place::ActorStruct,
            quote!(mailbox = 70000, name = "a", restarts = 1, name = "b", deadline = "5"),
        );
        assert_eq!(options.name.map(|name| name.value()).as_deref(), Some("a"));
        assert_eq!(options.mailbox, None);
        assert_eq!(errors.matches("compile_error").count(), 4);
    }

    #[test]
    fn each_place_has_its_own_options() {
        for (place, tokens) in [
            (Place::Task, quote!(mailbox = 1)),
            (Place::ActorImpl, quote!(name = "a")),
            (Place::Main, quote!(daemon)),
            (Place::Handler, quote!(shutdown = "1s")),
            (Place::Handler, quote!(start = "1s")),
        ] {
            assert!(parsed(place, tokens.clone()).1.contains("unknown option"), "{tokens} was accepted");
        }
    }

    #[test]
    fn an_option_that_has_another_name_now_says_which() {
        for (tokens, name) in [(quote!(start = "1s"), "start_timeout"), (quote!(grace = "1s"), "shutdown")] {
            let (_, errors) = parsed(Place::ActorStruct, tokens);
            assert!(errors.contains(&format!("is called `{name}`")), "{errors}");
        }
    }
}
