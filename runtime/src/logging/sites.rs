//! The places that forwarded events come from, in the form that `tracing` wants: callsites and metadata that
//! live for ever.
//!
//! So a filter in the program works on them by target, level and name, and is asked once for each place in
//! the code. What lives for ever must be bounded: beyond 4096 places, and for places with names longer than
//! any sensible one, events carry target, name and fields as fields.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::callsite::{self, Callsite, Identifier};
use tracing::field::{Field, FieldSet};
use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, dispatcher};

use crate::logging::record::{Severity, Site, Value};
use crate::types::escape::one_line;

/// How many places are known at most.
const PLACES: usize = 4096;

/// How many bytes the names of one place may have together.
const NAMES: usize = 4096;

/// How many fields of its own an event may have.
pub(crate) const OWN_FIELDS: usize = 48;

/// What the runtime adds to every event, in this order; see [`crate::logging`].
pub(crate) const ADDED: [&str; 5] = ["actor", "pid", "incarnation", "spans", "dropped"];

/// In place of those of [`ADDED`] that the event has itself.
const PREFIXED: [&str; 5] =
    ["phalanx.actor", "phalanx.pid", "phalanx.incarnation", "phalanx.spans", "phalanx.dropped"];

/// The target of events from places without a callsite of their own.
pub(crate) const ELSEWHERE: &str = "phalanx::forwarded";

/// The fields of events with the target [`ELSEWHERE`].
pub(crate) const GENERIC: [&str; 4] = ["message", "target", "name", "fields"];

/// All places that have been made.
static FORWARDED: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// Whether events of this callsite come from another process.
#[cfg(feature = "logging")]
pub(crate) fn is_forwarded(metadata: &Metadata<'_>) -> bool {
    FORWARDED.lock().unwrap_or_else(PoisonError::into_inner).contains(&address(&metadata.callsite()))
}

/// What tells a callsite from all others.
fn address(callsite: &Identifier) -> usize {
    std::ptr::from_ref(callsite.0).cast::<()>().addr()
}

/// A place in the code of another process.
pub(crate) struct Place {
    metadata: OnceLock<Metadata<'static>>,
    interest: AtomicU8,
    /// The event's own, then those of [`ADDED`].
    fields: OnceLock<Vec<Field>>,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

impl Callsite for Place {
    fn set_interest(&self, interest: Interest) {
        let interest = match interest {
            never if never.is_never() => NEVER,
            always if always.is_always() => ALWAYS,
            _ => SOMETIMES,
        };
        self.interest.store(interest, Ordering::SeqCst);
    }

    fn metadata(&self) -> &Metadata<'_> {
        self.known()
    }
}

impl Place {
    /// Makes a place that lives for ever, known to every subscriber.
    fn establish(level: Severity, site: Site<'_>, own: &[&str]) -> &'static Place {
        let place: &'static Place = Box::leak(Box::new(Place {
            metadata: OnceLock::new(),
            interest: AtomicU8::new(SOMETIMES),
            fields: OnceLock::new(),
        }));
        let added =
            (0..ADDED.len()).map(|at| if own.contains(&ADDED[at]) { PREFIXED[at] } else { ADDED[at] });
        let names: Vec<&'static str> = own.iter().copied().map(keep).chain(added).collect();
        let fields = FieldSet::new(names.leak(), Identifier(place));
        place.metadata.get_or_init(|| {
            Metadata::new(
                keep(site.name),
                keep(site.target),
                level.into(),
                site.file.map(keep),
                site.line,
                site.module.map(keep),
                fields,
                Kind::EVENT,
            )
        });
        FORWARDED.lock().unwrap_or_else(PoisonError::into_inner).insert(address(&Identifier(place)));
        callsite::register(place);
        place
    }

    pub(crate) fn known(&self) -> &Metadata<'static> {
        // Never made here: `establish` has done it.
        self.metadata.get_or_init(|| unreachable!("a place is established before it is used"))
    }

    pub(crate) fn fields(&self) -> &[Field] {
        self.fields.get_or_init(|| self.known().fields().iter().collect())
    }

    /// Whether the subscriber wants its events.
    pub(crate) fn is_enabled(&self) -> bool {
        *self.known().level() <= LevelFilter::current()
            && match self.interest.load(Ordering::Relaxed) {
                NEVER => false,
                ALWAYS => true,
                _ => dispatcher::get_default(|subscriber| subscriber.enabled(self.known())),
            }
    }

    fn is(&self, level: Severity, site: Site<'_>, own: &[(&str, Value<'_>)]) -> bool {
        let known = self.known();
        let known_site = Site {
            target: known.target(),
            name: known.name(),
            module: known.module_path(),
            file: known.file(),
            line: known.line(),
        };
        let own_names = own.iter().map(|(name, _)| *name);
        *known.level() == Level::from(level)
            && known_site == site
            && known.fields().len() == own.len() + ADDED.len()
            && known.fields().iter().zip(own_names).all(|(field, name)| field.name() == name)
    }
}

fn keep(text: &str) -> &'static str {
    text.to_owned().leak()
}

/// The places that are known, by a hash of what they are.
#[derive(Default)]
pub(crate) struct Places {
    known: HashMap<u64, Vec<&'static Place>>,
    count: usize,
    generic: HashMap<Severity, &'static Place>,
}

/// An event's own place, or the one for events that have none.
pub(crate) enum Found {
    Own(&'static Place),
    Generic(&'static Place),
}

impl Places {
    /// Finds a place, or makes it known.
    pub(crate) fn find(&mut self, level: Severity, site: Site<'_>, own: &[(&str, Value<'_>)]) -> Found {
        let mut hasher = DefaultHasher::new();
        (level, site).hash(&mut hasher);
        own.iter().for_each(|(name, _)| name.hash(&mut hasher));
        let hash = hasher.finish();
        let alike = self.known.get(&hash).map_or(&[][..], Vec::as_slice);
        if let Some(place) = alike.iter().find(|place| place.is(level, site, own)) {
            return Found::Own(place);
        }
        if self.count >= PLACES || own.len() > OWN_FIELDS || size(site, own) > NAMES || !is_plain(site, own) {
            return Found::Generic(self.generic(level));
        }
        let names: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
        let place = Place::establish(level, site, &names);
        self.known.entry(hash).or_default().push(place);
        self.count += 1;
        Found::Own(place)
    }

    fn generic(&mut self, level: Severity) -> &'static Place {
        let site = Site { target: ELSEWHERE, name: "event", module: None, file: None, line: None };
        self.generic.entry(level).or_insert_with(|| Place::establish(level, site, &GENERIC))
    }
}

/// How many bytes would be kept for ever.
fn size(site: Site<'_>, own: &[(&str, Value<'_>)]) -> usize {
    names(site, own).map(str::len).sum()
}

/// Whether its names can be shown unchanged, because every subscriber shows those of a place so.
fn is_plain(site: Site<'_>, own: &[(&str, Value<'_>)]) -> bool {
    names(site, own).all(|name| matches!(one_line(name), Cow::Borrowed(_)))
}

fn names<'a>(site: Site<'a>, own: &[(&'a str, Value<'_>)]) -> impl Iterator<Item = &'a str> {
    let texts = [Some(site.target), Some(site.name), site.module, site.file].into_iter().flatten();
    texts.chain(own.iter().map(|(name, _)| *name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::record::tests::sample;

    fn is_own(found: &Found) -> bool {
        matches!(found, Found::Own(_))
    }

    #[test]
    fn a_place_is_made_once() {
        let mut places = Places::default();
        let record = sample();
        for _ in 0..3 {
            assert!(is_own(&places.find(record.level, record.site, &record.fields)));
        }
        assert_eq!(places.count, 1);
        assert!(is_own(&places.find(record.level, record.site, &record.fields[1..])));
        assert!(is_own(&places.find(Severity::Info, record.site, &record.fields)));
        assert_eq!(places.count, 3);
    }

    #[test]
    fn what_lives_for_ever_is_bounded() {
        let mut places = Places::default();
        let record = sample();
        let at = |line| Site { line: Some(line), ..record.site };
        for line in 0..PLACES as u32 {
            assert!(is_own(&places.find(record.level, at(line), &record.fields)));
        }
        assert!(!is_own(&places.find(record.level, at(u32::MAX), &record.fields)));
        assert!(is_own(&places.find(record.level, at(7), &record.fields)));
        let (mut places, long) = (Places::default(), "x".repeat(NAMES));
        assert!(!is_own(&places.find(record.level, Site { file: Some(&long), ..record.site }, &[])));
        assert!(!is_own(&places.find(record.level, Site { target: "a\nb", ..record.site }, &[])));
        let many: Vec<_> = (0..=OWN_FIELDS).map(|_| ("again", Value::Absent)).collect();
        assert!(!is_own(&places.find(record.level, record.site, &many)));
        assert_eq!(places.count, 0);
    }

    #[test]
    fn names_that_the_event_has_itself_stay_its_own() {
        let own = [("pid", Value::U64(1)), ("message", Value::Absent)];
        let Found::Own(place) = Places::default().find(Severity::Info, sample().site, &own) else { panic!() };
        let names: Vec<&str> = place.fields().iter().map(Field::name).collect();
        assert_eq!(names, ["pid", "message", "actor", "phalanx.pid", "incarnation", "spans", "dropped"]);
    }
}
