//! Options of an annotation: `#[actor(name = "cache", mailbox = 64, daemon)]`.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{LitStr, Path, Token, parse_quote};

use crate::errors::Errors;
use crate::option_entry::Entry;

/// Where the options stand; each place has its own.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    ActorStruct,
    ActorImpl,
    Task,
    Main,
    Handler,
}

impl Place {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Place::ActorStruct => &[
                "name",
                "mailbox",
                "daemon",
                "deadline",
                "start",
                "grace",
                "timeout",
                "memory",
                "crate",
                "no_derive",
            ],
            Place::ActorImpl | Place::Main => &["crate"],
            Place::Task => &["name", "daemon", "deadline", "start", "grace", "memory", "crate"],
            Place::Handler => &["deadline"],
        }
    }

    fn title(self) -> &'static str {
        match self {
            Place::ActorStruct => "`#[actor]` on a struct",
            Place::ActorImpl => "`#[actor]` on an impl block",
            Place::Task => "`#[task]`",
            Place::Main => "`#[main]`",
            Place::Handler => "a message",
        }
    }
}

/// What an annotation says. Whatever it leaves out is left to the builder and to the defaults of the runtime.
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) mailbox: Option<u32>,
    pub(crate) daemon: bool,
    pub(crate) deadline: Option<Duration>,
    pub(crate) start: Option<Duration>,
    pub(crate) grace: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) memory: Option<u64>,
    pub(crate) krate: Path,
    pub(crate) no_derive: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            name: None,
            mailbox: None,
            daemon: false,
            deadline: None,
            start: None,
            grace: None,
            timeout: None,
            memory: None,
            krate: parse_quote!(::phalanx),
            no_derive: false,
        }
    }
}

impl Options {
    /// Reads the options at `place`. A wrong one is noted and left out; the others count.
    pub(crate) fn parse(place: Place, tokens: TokenStream, errors: &mut Errors) -> Options {
        let mut options = Options::default();
        let entries = Punctuated::<Entry, Token![,]>::parse_terminated.parse2(tokens);
        let mut seen: Vec<Ident> = Vec::new();
        for entry in errors.ok(entries).into_iter().flatten() {
            let (key, keys) = (entry.key.to_string(), place.keys());
            if !keys.contains(&key.as_str()) {
                let known = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
                errors.at(&entry.key, format!("unknown option `{key}`: {} takes {known}", place.title()));
            } else if seen.contains(&entry.key) {
                errors.at(&entry.key, format!("`{key}` is given twice: remove one of the two"));
            } else {
                let result = options.set(&entry);
                errors.ok(result);
            }
            seen.push(entry.key);
        }
        options
    }

    fn set(&mut self, entry: &Entry) -> syn::Result<()> {
        match entry.key.to_string().as_str() {
            "name" => self.name = Some(entry.name()?),
            "mailbox" => self.mailbox = Some(entry.mailbox()?),
            "daemon" => self.daemon = entry.flag()?,
            "deadline" => self.deadline = Some(entry.duration()?),
            "start" => self.start = Some(entry.duration()?),
            "grace" => self.grace = Some(entry.duration()?),
            "timeout" => self.timeout = Some(entry.duration()?),
            "memory" => self.memory = Some(entry.memory()?),
            "crate" => self.krate = entry.path()?,
            _ => self.no_derive = entry.flag()?,
        }
        Ok(())
    }

    /// The path everything in the expansion comes from.
    pub(crate) fn private(&self) -> Path {
        let krate = &self.krate;
        parse_quote!(#krate::__private)
    }

    /// The options as a constant expression of the type `Options` of the runtime.
    pub(crate) fn to_expr(&self) -> TokenStream {
        let private = self.private();
        let some = |field: &str, value: Option<TokenStream>| {
            let field = Ident::new(field, proc_macro2::Span::call_site());
            value.map(|value| quote!(#field: ::core::option::Option::Some(#value),))
        };
        let time = |field: &str, value: Option<Duration>| some(field, value.map(duration_expr));
        let fields: Vec<TokenStream> = [
            some("name", self.name.as_ref().map(ToTokens::to_token_stream)),
            some("mailbox", self.mailbox.map(ToTokens::into_token_stream)),
            self.daemon.then(|| quote!(daemon: true,)),
            time("deadline", self.deadline),
            time("start", self.start),
            time("grace", self.grace),
            time("timeout", self.timeout),
            some("memory", self.memory.map(ToTokens::into_token_stream)),
        ]
        .into_iter()
        .flatten()
        .collect();
        match fields.is_empty() {
            true => quote!(#private::Options::DEFAULT),
            false => quote!(#private::Options { #(#fields)* ..#private::Options::DEFAULT }),
        }
    }
}

/// A duration as a constant expression, in the coarsest unit that holds it.
pub(crate) fn duration_expr(duration: Duration) -> TokenStream {
    let (secs, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if nanos == 0 {
        return quote!(::core::time::Duration::from_secs(#secs));
    }
    quote!(::core::time::Duration::new(#secs, #nanos))
}

/// The options of a helper attribute such as `#[tell]` or `#[tell(deadline = "1s")]`.
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
                start = "1s",
                grace = "2m",
                timeout = "1h",
                memory = "1GiB",
                crate = a::b,
                no_derive,
            ),
        );
        assert_eq!(errors, "");
        assert_eq!(options.name.map(|name| name.value()).as_deref(), Some("cache"));
        assert_eq!((options.mailbox, options.daemon, options.no_derive), (Some(65535), true, true));
        assert_eq!(options.deadline, Some(Duration::from_micros(250)));
        assert_eq!(options.start, Some(Duration::from_secs(1)));
        assert_eq!(options.grace, Some(Duration::from_secs(120)));
        assert_eq!(options.timeout, Some(Duration::from_secs(3600)));
        assert_eq!(options.memory, Some(1 << 30));
        assert_eq!(options.krate, parse_quote!(a::b));
    }

    #[test]
    fn what_is_left_out_stays_open() {
        let (options, errors) = parsed(Place::Task, quote!(daemon = false));
        assert_eq!(errors, "");
        assert!(!options.daemon && options.name.is_none() && options.memory.is_none());
        assert_eq!(options.to_expr().to_string(), quote!(::phalanx::__private::Options::DEFAULT).to_string());
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
            quote!(mailbox = 70000, name = "a", restart = 1, name = "b", grace = "5"),
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
            (Place::Handler, quote!(grace = "1s")),
        ] {
            assert!(parsed(place, tokens.clone()).1.contains("unknown option"), "{tokens} was accepted");
        }
    }
}
