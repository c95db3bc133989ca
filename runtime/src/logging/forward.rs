//! The subscriber of a process that is not the program: every event goes to the program, with its context.

use std::borrow::Cow;
use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;

use crate::logging::outbox;
use crate::logging::record::{self, LARGEST, Record, Room, Site, Value};
use crate::logging::spans::Spans;

pub(crate) struct Forward {
    actor: String,
    incarnation: u64,
    most: LevelFilter,
    spans: Spans,
}

impl Forward {
    /// Forwards events of this actor up to the level `most`.
    pub(crate) fn new(actor: String, incarnation: u64, most: LevelFilter) -> Forward {
        Forward { actor, incarnation, most, spans: Spans::default() }
    }

    fn context(&self, event: &Event<'_>) -> String {
        if event.is_root() { String::new() } else { self.spans.context(event.parent()) }
    }
}

impl Subscriber for Forward {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.spans.create(span)
    }

    fn record(&self, span: &Id, values: &SpanRecord<'_>) {
        self.spans.record(span, values);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut taken = Taken::of(event);
        event.record(&mut taken);
        let record = Record {
            actor: Cow::Borrowed(&self.actor),
            pid: std::process::id(),
            incarnation: self.incarnation,
            time: record::now(),
            level: (*metadata.level()).into(),
            site: Site {
                target: metadata.target(),
                name: metadata.name(),
                module: metadata.module_path(),
                file: metadata.file(),
                line: metadata.line(),
            },
            spans: self.context(event).into(),
            fields: taken.fields,
        };
        outbox::send(&record, outbox::PATIENCE);
    }

    fn enter(&self, span: &Id) {
        self.spans.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.spans.exit(span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.spans.hold(span);
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        self.spans.release(&span)
    }

    fn current_span(&self) -> Current {
        self.spans.current()
    }
}

/// The fields of an event, in the order of their declaration.
struct Taken {
    fields: Vec<(&'static str, Value<'static>)>,
    room: Room,
}

impl Taken {
    fn of(event: &Event<'_>) -> Taken {
        let fields = event.metadata().fields().iter().map(|field| (field.name(), Value::Absent)).collect();
        Taken { fields, room: Room::new(LARGEST) }
    }

    fn put(&mut self, field: &Field, value: Value<'static>) {
        if let Some(slot) = self.fields.get_mut(field.index()) {
            slot.1 = value;
        }
    }
}

impl Visit for Taken {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::U64(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::F64(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let text = self.room.copy(value).into_owned();
        self.put(field, Value::Str(text.into()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let causes = self.room.explain(value);
        self.put(field, Value::Error(causes));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = self.room.write(format_args!("{value:?}"));
        self.put(field, Value::Debug(text.into()));
    }
}
