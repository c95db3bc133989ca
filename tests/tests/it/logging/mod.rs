//! What a tree says through `tracing` arrives in the subscriber of its program.

mod bounds;
mod events;
mod last_words;
mod programs;
mod supervision;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use phalanx::logging::{Origin, origin};
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, processes, until};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// What the subscriber of the program was given.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) name: String,
    module: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    fields: BTreeMap<String, Value>,
    origin: Option<Origin>,
}

/// A field as it was visited.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
    Str(String),
    Debug(String),
    Error(Vec<String>),
}

pub(crate) static HEARD: Mutex<Vec<Heard>> = Mutex::new(Vec::new());

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let heard = Heard {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            name: metadata.name().to_owned(),
            module: metadata.module_path().map(str::to_owned),
            file: metadata.file().map(str::to_owned),
            line: metadata.line(),
            fields: fields.0,
            origin: origin(),
        };
        HEARD.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
    }
}

#[derive(Default)]
struct Fields(BTreeMap<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        assert_eq!(self.0.insert(field.name().to_owned(), value), None, "`{field}` comes twice");
    }
}

impl Visit for Fields {
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
        self.put(field, Value::Str(value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let chain = std::iter::successors(Some(value), |error| error.source());
        self.put(field, Value::Error(chain.map(ToString::to_string).collect()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, Value::Debug(format!("{value:?}")));
    }
}

impl Heard {
    pub(crate) fn message(&self) -> &str {
        match self.fields.get("message") {
            Some(Value::Debug(text) | Value::Str(text)) => text,
            _ => "",
        }
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        match self.fields.get(field) {
            Some(Value::Str(text) | Value::Debug(text)) => text,
            other => panic!("{field}: {other:?} in {self:#?}"),
        }
    }

    pub(crate) fn number(&self, field: &str) -> u64 {
        match self.fields.get(field) {
            Some(Value::U64(number)) => *number,
            other => panic!("{field}: {other:?} in {self:#?}"),
        }
    }
}

/// The program's subscriber, with this filter.
pub(crate) fn listen(filter: &str) {
    let chosen = EnvFilter::new(filter);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(chosen).with(Listener))
        .unwrap();
}

/// The program's subscriber, for everything up to this level.
pub(crate) fn listen_to(level: LevelFilter) {
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(level).with(Listener))
        .unwrap();
}

pub(crate) fn all() -> Vec<Heard> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Everything that was said with this message.
fn said(message: &str) -> Vec<Heard> {
    all().into_iter().filter(|heard| heard.message() == message).collect()
}

/// How much has been counted.
fn counted() -> usize {
    let heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    heard.iter().filter(|heard| heard.message() == "counted").count()
}

/// Waits until this was said.
#[track_caller]
pub(crate) fn hear(message: &str) -> Heard {
    until(message, EVENT_TIMEOUT, || said(message).into_iter().next())
}

/// Waits until a supervisor has said this of an actor.
#[track_caller]
pub(crate) fn hear_of(actor: &str, message: &str) -> Heard {
    let is_it = |heard: &Heard| {
        heard.target == "phalanx::supervisor" && heard.message() == message && heard.text("actor") == actor
    };
    until(&format!("`{message}` of `{actor}`"), EVENT_TIMEOUT, || all().into_iter().find(is_it))
}

/// Whether the program reads a log.
fn reads() -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let name =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.map(name).any(|name| name.trim_end() == "phalanx-log")
}

/// Says things.
#[actor]
struct Talker;

#[actor]
impl Talker {
    fn say(&self, text: String) {
        tracing::info!("{text}");
    }

    /// Says the numbers below this one, as fast as it can.
    fn count(&self, most: u64) {
        for number in 0..most {
            tracing::info!(number, "counted");
        }
    }

    /// Says everything once; returns how many levels it was asked for.
    fn at_all_levels(&self) -> usize {
        tracing::error!("one error");
        tracing::warn!("one warning");
        tracing::info!("one piece of news");
        tracing::debug!("one detail");
        tracing::trace!("one step");
        let levels = [
            tracing::enabled!(Level::ERROR),
            tracing::enabled!(Level::WARN),
            tracing::enabled!(Level::INFO),
            tracing::enabled!(Level::DEBUG),
            tracing::enabled!(Level::TRACE),
        ];
        levels.into_iter().filter(|enabled| *enabled).count()
    }

    fn elsewhere(&self) {
        tracing::info!(target: "elsewhere::deep", "from elsewhere");
        tracing::info!(target: "nowhere", "from nowhere");
    }

    fn large(&self, bytes: usize) {
        let text = "x".repeat(bytes);
        tracing::info!(text, "large");
    }

    /// Starts another one, which says something.
    fn pass_on(&self, depth: u32, text: String) -> Result<(), String> {
        if depth == 0 {
            tracing::info!("{text}");
            return Ok(());
        }
        let name = format!("depth-{depth}");
        let next = Talker.builder().name(&name).spawn().map_err(|error| error.to_string())?;
        next.pass_on(depth - 1, text).wait().map_err(|error| error.to_string())
    }

    fn abort(&self) {
        tracing::error!("before the abort");
        std::process::abort();
    }

    fn overflow(&self) -> u64 {
        tracing::error!("before the overflow");
        deeper(1)
    }

    fn panic(&self) {
        tracing::error!("before the panic");
        panic!("no such luck");
    }

    fn exit(&self) {
        std::process::exit(0);
    }

    fn kill_itself(&self) {
        tracing::error!("before the kill");
        processes::kill(std::process::id());
    }

    fn sleep(&self, millis: u64) {
        std::thread::sleep(Duration::from_millis(millis));
    }

    #[tell]
    fn told(&self) {}
}

#[expect(unconditional_recursion, reason = "that is how a stack overflows")]
fn deeper(number: u64) -> u64 {
    std::hint::black_box([number; 512])[7] + deeper(number + 1)
}

fn talker() -> ActorRef<Talker> {
    Talker.builder().name("talker").spawn().unwrap()
}
