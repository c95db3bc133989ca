//! The program's end of the log: a thread that reads what its tree says, and hands it to the program's
//! subscriber.
//!
//! It takes one packet at a time and keeps nothing of it. So the uplink is the only queue, and its senders
//! see when it is full.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::{self, Debug, Display, Write};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::Event;
use tracing::field::{DebugValue, Field, Value as FieldValue, debug};

use crate::ipc::{uplink, user_code};
use crate::logging::Origin;
use crate::logging::outbox::{EVENT, FRONT, LARGE, MARK, PRINT};
use crate::logging::printers;
use crate::logging::record::{LARGEST_ENCODED, Record, Value, moment};
use crate::logging::sites::{ADDED, Found, OWN_FIELDS, Place, Places};
use crate::sys::per_process::Own;
use crate::sys::verdict::Verdict;
use crate::sys::{clock, fd, memfd, poll, process, seqpacket};
use crate::types::escape::{escaped, one_line};

/// How long the end of a program waits for what it has not read yet.
const SETTLE: Duration = Duration::from_secs(1);

/// The least time between two reports of unreadable packets (nanoseconds).
const COMPLAINTS: u64 = 1_000_000_000;

/// The fields of an event as it is handed on: at most so many.
const FIELDS: usize = OWN_FIELDS + ADDED.len();

#[derive(Default)]
struct Progress {
    has_reader: bool,
    /// Marks that have been sent and not been read.
    marks: BTreeSet<u64>,
}

static PROGRESS: Own<Mutex<Progress>> = Own::new();
static READ_ON: Own<Condvar> = Own::new();

fn progress() -> MutexGuard<'static, Progress> {
    PROGRESS.here().lock().unwrap_or_else(PoisonError::into_inner)
}

/// In the program: makes sure that a thread reads the log of its tree.
pub(crate) fn open() {
    let Some(line) = uplink::incoming_log() else { return };
    let mut progress = progress();
    if !progress.has_reader {
        // Without a thread, what is said stays in the uplink; the next spawn tries again.
        let thread = std::thread::Builder::new().name("phalanx-log".into());
        let reader = thread.spawn(move || {
            READS.set(true);
            Inbox::new().run(line);
        });
        progress.has_reader = reader.is_ok();
    }
}

/// Waits until everything that lay in the uplink at the call has been handed to the subscriber, or printed,
/// 1 s at most.
pub(crate) fn settle() {
    let has_reader = progress().has_reader;
    let Some(line) = uplink::log().filter(|_| has_reader && !READS.get()) else { return };
    let (mark, until) = (process::random(), clock::after(SETTLE));
    progress().marks.insert(mark);
    let mut packet = vec![MARK];
    packet.extend(mark.to_le_bytes());
    let mut sent = seqpacket::send_raw(line, &packet, &[]);
    while sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) && clock::now() < until
    {
        poll::pause(Duration::from_millis(1));
        sent = seqpacket::send_raw(line, &packet, &[]);
    }
    let mut progress = progress();
    while sent.is_ok() && progress.marks.contains(&mark) && clock::now() < until {
        progress = READ_ON
            .here()
            .wait_timeout(progress, clock::until(until))
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
    progress.marks.remove(&mark);
    drop(progress);
    printers::settle(until);
}

struct Inbox {
    places: Places,
    /// Unreadable packets since the last report.
    unreadable: u64,
    complained: u64,
}

impl Inbox {
    fn new() -> Inbox {
        Inbox { places: Places::default(), unreadable: 0, complained: 0 }
    }

    fn run(mut self, line: BorrowedFd<'_>) {
        let mut buffer = seqpacket::buffer();
        loop {
            match seqpacket::receive(line, &mut buffer, true) {
                Ok(Some(packet)) => {
                    let whole = !packet.truncated;
                    // The subscriber is the program's code, and may panic. That ends no more than one event.
                    let read = user_code::caught(|| {
                        whole && self.take(&buffer[..packet.len], &packet.fds).is_some()
                    });
                    self.note(read.unwrap_or(true));
                }
                // An empty packet looks the same as the end.
                Ok(None) if fd::has_ended(line) => break,
                Ok(None) => self.note(false),
                Err(error) => match Verdict::of(&error) {
                    Verdict::Passes if Verdict::passes_unseen(&error) => {
                        poll::pause(Duration::from_millis(10))
                    }
                    Verdict::Passes => {}
                    // The descriptor is not the uplink's any more. What else the program does is not ours to
                    // end.
                    Verdict::Ours | Verdict::Theirs | Verdict::Packet => {
                        tracing::error!(
                            target: "phalanx::logging",
                            %error,
                            "the log of the tree cannot be read any more, and nothing more is heard of it: \
                             has code in this program closed a descriptor that was not its own?"
                        );
                        return;
                    }
                },
            }
        }
        tracing::error!(
            target: "phalanx::logging",
            "a process has shut the log of the tree down, and nothing more is heard of it"
        );
    }

    /// Reads one packet; `None` if that cannot be done.
    fn take(&mut self, packet: &[u8], fds: &[OwnedFd]) -> Option<()> {
        match *packet.first()? {
            EVENT => self.read(packet, packet.get(FRONT..)?),
            LARGE => {
                let file = memfd::Payload::open(fds.first()?.as_fd(), LARGEST_ENCODED as u64).ok()?;
                self.read(packet, &file)
            }
            PRINT => {
                let printer = u32::from_le_bytes(packet.get(1..5)?.try_into().ok()?);
                printers::print(printer, packet.get(5..)?).then_some(())
            }
            MARK => {
                let mark = u64::from_le_bytes(packet.get(1..)?.try_into().ok()?);
                if progress().marks.remove(&mark) {
                    READ_ON.here().notify_all();
                }
                Some(())
            }
            _ => None,
        }
    }

    fn read(&mut self, front: &[u8], record: &[u8]) -> Option<()> {
        let number = u64::from_le_bytes(front.get(1..9)?.try_into().ok()?);
        let dropped = u64::from_le_bytes(front.get(9..FRONT)?.try_into().ok()?);
        let record = Record::decode(record)?;
        hand_on(&mut self.places, &record, number, dropped);
        Some(())
    }

    /// Reports unreadable packets, but at most once a second, so that no process floods the log with that.
    fn note(&mut self, readable: bool) {
        self.unreadable += u64::from(!readable);
        if self.unreadable > 0 && clock::now().saturating_sub(self.complained) >= COMPLAINTS {
            let packets = std::mem::take(&mut self.unreadable);
            self.complained = clock::now();
            let _ = user_code::caught(
                || tracing::warn!(target: "phalanx::logging", packets, "something in the log cannot be read"),
            );
        }
    }
}

thread_local! {
    /// Whether this thread reads the log.
    static READS: Cell<bool> = const { Cell::new(false) };
    /// The origin of the event that this thread hands on.
    static ORIGIN: RefCell<Option<Origin>> = const { RefCell::new(None) };
}

pub(crate) fn origin() -> Option<Origin> {
    ORIGIN.try_with(|origin| origin.borrow().clone()).ok().flatten()
}

/// Keeps the origin of an event for this thread, for as long as it lives.
struct Noted;

impl Noted {
    fn note(record: &Record<'_>, number: u64) -> Noted {
        let origin = Origin {
            actor: record.actor.clone().into_owned(),
            pid: record.pid,
            incarnation: record.incarnation,
            time: moment(record.time),
            number,
        };
        ORIGIN.with(|slot| slot.replace(Some(origin)));
        Noted
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        ORIGIN.with(|slot| slot.replace(None));
    }
}

/// Hands an event to the program's subscriber, if it wants the event.
fn hand_on(places: &mut Places, record: &Record<'_>, number: u64, dropped: u64) {
    let (place, own) = match places.find(record.level, record.site, &record.fields) {
        Found::Own(place) => (place, record.fields.iter().map(|(name, value)| shown(name, value)).collect()),
        Found::Generic(place) => (place, generic(record)),
    };
    if !place.is_enabled() {
        return;
    }
    let _noted = Noted::note(record, number);
    let (pid, spans, actor) = (u64::from(record.pid), one_line(&record.spans), one_line(&record.actor));
    let added = [
        Shown::Str(&actor),
        Shown::U64(pid),
        Shown::U64(record.incarnation),
        if spans.is_empty() { Shown::Absent } else { Shown::Str(&spans) },
        if dropped == 0 { Shown::Absent } else { Shown::U64(dropped) },
    ];
    emit(place, own.into_iter().chain(added).collect());
}

fn emit(place: &'static Place, shown: Vec<Shown<'_>>) {
    let fields = place.fields();
    let Some(first) = fields.first() else { return };
    // `tracing` wants an array; an entry without a value is none.
    let mut values: [(&Field, Option<&dyn FieldValue>); FIELDS] = [(first, None); FIELDS];
    for (slot, (field, shown)) in values.iter_mut().zip(fields.iter().zip(&shown)) {
        *slot = (field, shown.value());
    }
    let metadata = place.known();
    Event::child_of(None, metadata, &metadata.fields().value_set(&values));
}

/// The fields of an event from a place without a callsite of its own.
fn generic<'a>(record: &'a Record<'_>) -> Vec<Shown<'a>> {
    let message = record.fields.iter().find(|(name, _)| *name == "message");
    let mut rest = String::new();
    for (name, value) in record.fields.iter().filter(|(name, _)| *name != "message") {
        let space = if rest.is_empty() { "" } else { " " };
        let _ = match Shown::of(value) {
            Shown::Absent => Ok(()),
            shown => write!(rest, "{space}{}={shown:?}", one_line(name)),
        };
    }
    vec![
        message.map_or(Shown::Absent, |(name, value)| shown(name, value)),
        Shown::Text(one_line(record.site.target).into_owned()),
        Shown::Text(one_line(record.site.name).into_owned()),
        if rest.is_empty() { Shown::Absent } else { Shown::Text(rest) },
    ]
}

/// A message is shown without the quotes that other texts get, so it must be a single line.
fn shown<'a>(name: &str, value: &'a Value<'_>) -> Shown<'a> {
    match value {
        Value::Str(text) if name == "message" => Shown::Text(one_line(text).into_owned()),
        value => Shown::of(value),
    }
}

/// A value in the form that visitors of fields are given.
enum Shown<'a> {
    Absent,
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
    Str(&'a str),
    Text(String),
    Debug(DebugValue<Raw<'a>>),
    Error(Box<dyn Error + 'static>),
}

impl Shown<'_> {
    fn of<'a>(value: &'a Value<'_>) -> Shown<'a> {
        match value {
            Value::Absent => Shown::Absent,
            Value::I64(value) => Shown::I64(*value),
            Value::U64(value) => Shown::U64(*value),
            Value::F64(value) => Shown::F64(*value),
            Value::Bool(value) => Shown::Bool(*value),
            Value::Str(text) => Shown::Str(text),
            Value::Debug(text) => Shown::Debug(debug(Raw(text))),
            Value::Error(causes) => {
                let chain = causes.iter().rev().fold(None, |cause, text| {
                    Some(Box::new(Told { text: text.clone().into_owned(), cause }))
                });
                chain.map_or(Shown::Absent, |error| Shown::Error(error))
            }
        }
    }

    fn value(&self) -> Option<&dyn FieldValue> {
        match self {
            Shown::Absent => None,
            Shown::I64(value) => Some(value),
            Shown::U64(value) => Some(value),
            Shown::F64(value) => Some(value),
            Shown::Bool(value) => Some(value),
            Shown::Str(text) => Some(text),
            Shown::Text(text) => Some(text),
            Shown::Debug(text) => Some(text),
            Shown::Error(error) => Some(error),
        }
    }
}

impl Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Absent => Ok(()),
            Shown::I64(value) => Debug::fmt(value, f),
            Shown::U64(value) => Debug::fmt(value, f),
            Shown::F64(value) => Debug::fmt(value, f),
            Shown::Bool(value) => Debug::fmt(value, f),
            Shown::Str(text) => Debug::fmt(text, f),
            Shown::Text(text) => f.write_str(text),
            Shown::Debug(text) => Debug::fmt(text, f),
            Shown::Error(error) => Display::fmt(error, f),
        }
    }
}

/// What a `Debug` has written elsewhere.
struct Raw<'a>(&'a str);

impl Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| f.write_str(self.0))
    }
}

/// The text of an error in another process, and its cause.
#[derive(Debug)]
struct Told {
    text: String,
    cause: Option<Box<Told>>,
}

impl Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| f.write_str(&self.text))
    }
}

impl Error for Told {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
