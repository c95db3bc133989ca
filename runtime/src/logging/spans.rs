//! The spans of a process whose events go to the program: as much of them as an event's context needs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::Metadata;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_core::span::Current;

use crate::logging::record::Room;

/// The most bytes of text that are kept of one span's fields.
const FIELDS: usize = 1024;

/// The most bytes that an event's context has.
const CONTEXT: usize = 8 * 1024;

/// The spans that have holders.
#[derive(Default)]
pub(crate) struct Spans {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Span>>,
}

struct Span {
    metadata: &'static Metadata<'static>,
    /// `name=value`, one after the other.
    fields: String,
    room: Room,
    /// The parent is held open by this span.
    parent: Option<u64>,
    holders: usize,
}

thread_local! {
    /// The spans that this thread is in.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// The innermost span of this thread; none while the thread ends.
fn innermost() -> Option<u64> {
    ENTERED.try_with(|entered| entered.borrow().last().copied()).ok().flatten()
}

impl Spans {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, Span>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn create(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields { text: String::new(), room: Room::new(FIELDS) };
        attributes.record(&mut fields);
        let parent =
            if attributes.is_contextual() { innermost() } else { attributes.parent().map(Id::into_u64) };
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut open = self.open();
        let parent = parent.filter(|parent| hold(&mut open, *parent));
        let Fields { text, room } = fields;
        let metadata = attributes.metadata();
        open.insert(number, Span { metadata, fields: text, room, parent, holders: 1 });
        Id::from_u64(number)
    }

    pub(crate) fn record(&self, id: &Id, values: &Record<'_>) {
        // Written without the lock: a `Debug` may log, or wait for a thread that does.
        let mut fields = Fields { text: String::new(), room: Room::new(FIELDS) };
        values.record(&mut fields);
        if let Some(span) = self.open().get_mut(&id.into_u64()).filter(|span| !span.room.is_full()) {
            if !span.fields.is_empty() {
                span.fields.push(' ');
            }
            let added = span.room.copy(&fields.text);
            span.fields.push_str(&added);
        }
    }

    pub(crate) fn hold(&self, id: &Id) {
        hold(&mut self.open(), id.into_u64());
    }

    /// Gives up one hold on a span; returns whether that was the last.
    pub(crate) fn release(&self, id: &Id) -> bool {
        let mut open = self.open();
        let mut next = Some(id.into_u64());
        let mut closed = false;
        while let Some(number) = next.take() {
            let Some(span) = open.get_mut(&number) else { break };
            span.holders -= 1;
            if span.holders == 0 {
                next = open.remove(&number).and_then(|span| span.parent);
                closed |= number == id.into_u64();
            }
        }
        closed
    }

    pub(crate) fn enter(&self, id: &Id) {
        let _ = ENTERED.try_with(|entered| entered.borrow_mut().push(id.into_u64()));
    }

    pub(crate) fn exit(&self, id: &Id) {
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            if let Some(at) = entered.iter().rposition(|&number| number == id.into_u64()) {
                entered.remove(at);
            }
        });
    }

    pub(crate) fn current(&self) -> Current {
        let Some(number) = innermost() else { return Current::none() };
        match self.open().get(&number) {
            Some(span) => Current::new(Id::from_u64(number), span.metadata),
            None => Current::none(),
        }
    }

    /// Names and fields of this span (or of the innermost of this thread) and of those around it, outermost
    /// first.
    pub(crate) fn context(&self, of: Option<&Id>) -> String {
        let Some(leaf) = of.map(Id::into_u64).or_else(innermost) else { return String::new() };
        let open = self.open();
        let span = |number: &u64| open.get(number);
        let around: Vec<&Span> =
            std::iter::successors(span(&leaf), |inner| inner.parent.as_ref().and_then(span)).collect();
        let mut text = String::new();
        let mut room = Room::new(CONTEXT);
        for span in around.iter().rev() {
            if room.is_full() {
                break;
            }
            if !text.is_empty() {
                text.push(':');
            }
            let part = match span.fields.as_str() {
                "" => room.write(span.metadata.name()),
                fields => room.write(format_args!("{}{{{fields}}}", span.metadata.name())),
            };
            text.push_str(&part);
        }
        text
    }
}

fn hold(open: &mut HashMap<u64, Span>, number: u64) -> bool {
    open.get_mut(&number).map(|span| span.holders += 1).is_some()
}

/// Writes `name=value`.
struct Fields {
    text: String,
    room: Room,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if self.room.is_full() {
            return;
        }
        let space = if self.text.is_empty() { "" } else { " " };
        let part = match field.name() {
            "message" => self.room.write(format_args!("{space}{value:?}")),
            name => self.room.write(format_args!("{space}{name}={value:?}")),
        };
        let _ = self.text.write_str(&part);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
