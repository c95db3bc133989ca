//! An event as it travels: everything that is known of it, and where it comes from.
//!
//! The reader must not trust the writer. Reading allocates no more than a fixed number of entries, however
//! many are claimed, and texts stay where they lie.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use tracing::Level;

/// The target of what supervisors say.
pub(crate) const TARGET: &str = "phalanx::supervisor";

/// The most bytes of text in one event; what is beyond is cut off, and marked.
pub(crate) const LARGEST: usize = 16 << 20;

/// The most bytes of an event with everything around its texts.
pub(crate) const LARGEST_ENCODED: usize = LARGEST + (64 << 10);

/// Behind a text that was cut.
const CUT: &str = "... (cut)";

/// More fields than any event has.
const FIELDS: usize = 256;

/// How far the causes of an error are followed.
const CAUSES: usize = 16;

/// One event.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record<'a> {
    #[serde(borrow)]
    pub(crate) actor: Cow<'a, str>,
    pub(crate) pid: u32,
    pub(crate) incarnation: u64,
    /// Nanoseconds since 1970.
    pub(crate) time: u64,
    pub(crate) level: Severity,
    #[serde(borrow)]
    pub(crate) site: Site<'a>,
    /// The spans it happened in, outermost first.
    #[serde(borrow)]
    pub(crate) spans: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "few_fields")]
    pub(crate) fields: Vec<(&'a str, Value<'a>)>,
}

/// Where in the code it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Site<'a> {
    pub(crate) target: &'a str,
    pub(crate) name: &'a str,
    pub(crate) module: Option<&'a str>,
    pub(crate) file: Option<&'a str>,
    pub(crate) line: Option<u32>,
}

/// The value of a field.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Value<'a> {
    /// Declared by the event, and not filled in.
    Absent,
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
    #[serde(borrow)]
    Str(Cow<'a, str>),
    /// What its `Debug` has written.
    #[serde(borrow)]
    Debug(Cow<'a, str>),
    /// What its `Display` has written, and those of its causes.
    #[serde(borrow, deserialize_with = "few_causes")]
    Error(Vec<Cow<'a, str>>),
}

/// A level, in a form that travels; the higher, the more is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Severity {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Severity {
        match level {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warn,
            Level::INFO => Severity::Info,
            Level::DEBUG => Severity::Debug,
            Level::TRACE => Severity::Trace,
        }
    }
}

impl From<Severity> for Level {
    fn from(severity: Severity) -> Level {
        match severity {
            Severity::Error => Level::ERROR,
            Severity::Warn => Level::WARN,
            Severity::Info => Level::INFO,
            Severity::Debug => Level::DEBUG,
            Severity::Trace => Level::TRACE,
        }
    }
}

/// Now, as it is written into a record.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The moment that a record names.
pub(crate) fn moment(time: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(time)
}

impl Record<'_> {
    /// Encodes it behind `front`. Nothing in it can refuse.
    pub(crate) fn encode(&self, front: Vec<u8>) -> Option<Vec<u8>> {
        postcard::to_extend(self, front).ok()
    }

    /// Reads exactly one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Record<'_>> {
        match postcard::take_from_bytes(bytes) {
            Ok((record, [])) => Some(record),
            _ => None,
        }
    }
}

/// Room for the texts of one event.
pub(crate) struct Room(usize);

impl Room {
    pub(crate) fn new(bytes: usize) -> Room {
        Room(bytes)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0 == 0
    }

    /// Writes as much of `text` as there is room for.
    pub(crate) fn write(&mut self, text: impl fmt::Display) -> String {
        let mut taken = Taken { text: String::new(), room: self.0 };
        // It fails at the end of the room, and wherever the text itself refuses to be written.
        let whole = write!(taken, "{text}").is_ok();
        self.0 = taken.room;
        if !whole {
            taken.text.push_str(CUT);
        }
        taken.text
    }

    /// Returns as much of `text` as there is room for.
    pub(crate) fn copy<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        if text.len() <= self.0 {
            self.0 -= text.len();
            return Cow::Borrowed(text);
        }
        Cow::Owned(self.write(text))
    }

    /// The texts of an error and its causes, as much of them as there is room for.
    pub(crate) fn explain(&mut self, error: &(dyn std::error::Error + 'static)) -> Vec<Cow<'static, str>> {
        let chain = std::iter::successors(Some(error), |error| error.source());
        chain.take(CAUSES).map(|error| Cow::Owned(self.write(error))).collect()
    }
}

struct Taken {
    text: String,
    room: usize,
}

impl Write for Taken {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let fits = &part[..part.floor_char_boundary(self.room)];
        self.text.push_str(fits);
        self.room -= fits.len();
        if fits.len() == part.len() {
            return Ok(());
        }
        // Nothing smaller that follows may slip in.
        self.room = 0;
        Err(fmt::Error)
    }
}

fn few_fields<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<(&'de str, Value<'de>)>, D::Error> {
    source.deserialize_seq(AtMost::<_, FIELDS>(std::marker::PhantomData))
}

fn few_causes<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<Cow<'de, str>>, D::Error> {
    let few: Vec<Borrowed<'de>> = source.deserialize_seq(AtMost::<_, CAUSES>(std::marker::PhantomData))?;
    Ok(few.into_iter().map(|Borrowed(text)| text).collect())
}

/// A text that stays where it lies: inside of a sequence, serde would make a copy of a `Cow`.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

/// A sequence of at most `MOST` items; a longer one is refused before it is read to its end.
struct AtMost<T, const MOST: usize>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for AtMost<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Vec<T>, A::Error> {
        let mut taken = Vec::new();
        while let Some(next) = source.next_element()? {
            if taken.len() == MOST {
                return Err(A::Error::custom("too many"));
            }
            taken.push(next);
        }
        Ok(taken)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Record<'static> {
        Record {
            actor: "shop".into(),
            pid: 17,
            incarnation: 2,
            time: 5,
            level: Severity::Warn,
            site: Site {
                target: "store",
                name: "event store.rs:1",
                module: Some("store"),
                file: Some("store.rs"),
                line: Some(1),
            },
            spans: "order{id=7}".into(),
            fields: vec![
                ("message", Value::Debug("sold out".into())),
                ("left", Value::U64(0)),
                ("error", Value::Error(vec!["no".into(), "because".into()])),
                ("unused", Value::Absent),
            ],
        }
    }

    #[test]
    fn a_record_survives_the_wire() {
        let bytes = sample().encode(Vec::new()).unwrap();
        let read = Record::decode(&bytes).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", sample()));
        assert!(matches!(read.spans, Cow::Borrowed(_)));
    }

    #[test]
    fn rubbish_is_no_record_and_no_panic() {
        let bytes = sample().encode(Vec::new()).unwrap();
        for len in 0..bytes.len() {
            assert!(Record::decode(&bytes[..len]).is_none(), "{len}");
        }
        for (index, bit) in (0..bytes.len()).flat_map(|index| (0..8).map(move |bit| (index, bit))) {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << bit;
            let _ = Record::decode(&changed);
        }
        assert!(Record::decode(&[bytes, vec![0]].concat()).is_none());
    }

    #[test]
    fn a_record_with_endless_fields_is_refused() {
        let mut record = sample();
        record.fields = (0..=FIELDS).map(|_| ("again", Value::Absent)).collect();
        assert!(Record::decode(&record.encode(Vec::new()).unwrap()).is_none());
        record.fields.pop();
        assert!(Record::decode(&record.encode(Vec::new()).unwrap()).is_some());
    }

    #[test]
    fn texts_are_cut_where_the_room_ends() {
        let mut room = Room::new(6);
        assert_eq!(room.copy("four"), "four");
        assert_eq!(room.write("aä"), "a... (cut)");
        assert_eq!(room.copy("b"), CUT);
        assert_eq!(room.copy(""), "");
    }
}
