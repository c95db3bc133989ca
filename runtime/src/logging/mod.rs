// Events from every process of the tree, on their way to the program's subscriber. This folder must never
// import `control` or a folder above it.

//! One log for the whole tree: what its processes say through `tracing` arrives in the program's subscriber.
//!
//! A program that has set a global subscriber gets, beside its own events, those of every process that it
//! spawns from then on, at whatever depth; `init` (feature `logging`) sets one for programs that have none. A
//! subscriber that is only set for a thread, or for a scope, gets none of them. Actors and tasks need not do
//! anything: before their own code runs, they get a subscriber of ours that sends their events to the
//! program, where the thread `phalanx-log` hands them on. In a program that wants no events, neither is
//! installed.
//!
//! # What arrives
//!
//! Level, target, name, place in the code, and all fields with their types (a value that is neither number,
//! bool, text nor error arrives as the text that its `Debug` wrote). So filters by level, target or name work
//! as for events of the program. Beside its own, each event has these fields:
//!
//! | field | what |
//! |---|---|
//! | `actor` | the name of the actor or task |
//! | `pid` | its process id |
//! | `incarnation` | how often it had been started by then, 1 for the first time |
//! | `spans` | its spans as text, outermost first, as `order{id=7}:payment`; absent outside of spans |
//! | `dropped` | how many events of that process were dropped right before this one; absent if none |
//!
//! A text of another process never makes a line of its own: control characters are escaped (`\n`, `\u{1b}`)
//! in messages, in what `Debug` and `Display` wrote, in spans and names. Texts that are values
//! (`field = "text"`) are handed on unchanged; subscribers quote those. An event whose target, name or field
//! names have control characters is one from elsewhere (below).
//!
//! An event that has a field of such a name itself keeps it, and ours is called `phalanx.actor`, and so on.
//! [`origin`] tells when an event was said, and its number. An event from elsewhere has more than 48 fields
//! or names of more than 4 KiB, or comes from a place in the code beyond the first 4096. Its target is
//! `phalanx::forwarded`, and the fields `target`, `name` and `fields` have what is else in fields of its own.
//!
//! Events of one process arrive in the order in which they were said. The process that says one makes the
//! system call that sends it, so it arrives even if that process dies in its next instruction.
//!
//! # What happens to actors
//!
//! Supervisors say it, under the target `phalanx::supervisor`, with the `actor`, `pid` and `incarnation` of
//! the process that it is about:
//!
//! | message | level | further fields |
//! |---|---|---|
//! | `started` | DEBUG | |
//! | `stopped`, `ended` (a task) | DEBUG; INFO after an `exit(0)` of its own code | `reason` |
//! | `killed` | DEBUG; WARN if it did not stop within its grace | `reason` |
//! | `not started` | DEBUG; WARN in a restart | `reason` |
//! | `crashed` | WARN | `reason`: of a panic its message, place and method |
//! | `suspended` | WARN | `signal` that stopped it (SIGSTOP, SIGTSTP); idle until it is continued |
//! | `killed by the watchdog` | WARN | `method`, `after_ms`; `#[init]` for a start that took too long |
//! | `dead letters` | WARN | `messages`: how many lay in the mailbox |
//! | `waiting` before a restart | WARN | `delay_ms` |
//! | `restarted` | INFO; DEBUG after a recycling | `restarts`, `reason`: why the last one ended |
//! | `gave up`: it has used up its restarts, and stays dead | ERROR | `reason` |
//! | `escalated`: it has used up those of its supervisor, which ends | ERROR | `reason` |
//!
//! `the root supervisor died` (ERROR, with `reason`) is said by the program itself: everything that it had
//! started has ended with it.
//!
//! What actors and tasks write to their standard output and standard error is among the events if an option
//! says so ([`Output::Log`](crate::command::Output::Log)): target `phalanx::output`, with the field `stream`.
//!
//! A process that ends because its owner has ended is `stopped`: that is no crash of its own.
//!
//! # How much it costs
//!
//! The level that the program wants is found out when a process is spawned, and events beyond it are not
//! sent. Under `init` the filter travels too. An event costs its process a system call. If the program does
//! not read as fast as its tree writes, a process that logs waits for room, 100 ms at most (a line of a
//! [command](crate::command::Command) 5 s); then the event is dropped, and those after it at once, until there is room
//! again. An event of more than 32 KiB waits too while another one of its process has not been read. Texts
//! are cut at 16 MiB per event. Supervisors never wait.
//!
//! The end of `#[phalanx::main]`, and [`shutdown`](crate::shutdown), wait until everything has been handed to
//! the subscriber, 1 s at most. What has not been read when the program is killed is lost.

#[cfg(feature = "logging")]
mod format;
mod forward;
mod inbox;
pub(crate) mod lines;
pub(crate) mod outbox;
mod printers;
pub(crate) mod record;
mod sites;
mod spans;

use std::time::SystemTime;

use forward::Forward;
use once_cell::sync::OnceCell;
use record::Severity;
use serde::{Deserialize, Serialize};
use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::reactor::context;

pub(crate) use inbox::settle;

/// Which events a program wants from its tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Wish {
    most: Severity,
    /// The filter of `init`, if that has set the subscriber.
    filter: Option<String>,
}

impl Wish {
    pub(crate) fn wants(&self, level: Severity) -> bool {
        level <= self.most
    }
}

/// The wish that this process was born with; in the program, none.
static INHERITED: OnceCell<Option<Wish>> = OnceCell::new();

/// The printer that this process was born with; in the program, none.
static PRINTER: OnceCell<Option<u32>> = OnceCell::new();

/// The filter of `init`, if that has set the subscriber.
static FILTER: OnceCell<String> = OnceCell::new();

/// The wish for a process that is spawned now; makes sure that a thread reads its events.
pub(crate) fn wish() -> Option<Wish> {
    if let Some(inherited) = INHERITED.get() {
        return inherited.clone();
    }
    let most = LevelFilter::current().into_level();
    if most.is_some() || printers::are_wanted() {
        inbox::open();
    }
    Some(Wish { most: most?.into(), filter: FILTER.get().cloned() })
}

/// Where the program prints what a process that this thread spawns tells of a panic: the number of a printer,
/// or `None` if that process writes it itself.
pub(crate) fn printer() -> Option<u32> {
    PRINTER.get().copied().unwrap_or_else(printers::own)
}

/// Has the program print the report of a panic. Returns whether that was possible.
pub(crate) fn print(report: &str) -> bool {
    PRINTER.get().copied().flatten().is_some_and(|printer| outbox::print(printer, report))
}

/// In a test binary, after a failure: waits until what actors have told of their panics by then is printed,
/// 1 s at most, so that the output of a test that fails because of one has it. After any failure, since that
/// of a handler may come from a panic below its actor. For callers that block anyway.
pub(crate) fn settle_if_failed<T, E>(result: Result<T, E>) -> Result<T, E> {
    if result.is_err() && printers::exist() {
        settle();
    }
    result
}

/// In a new process: sends its events to the program, if the program wants them.
pub(crate) fn inherit(wish: Option<Wish>, printer: Option<u32>) {
    // Set once: a process inherits nothing a second time.
    let _ = PRINTER.set(printer);
    if let Some(wish) = &wish {
        let own = context::identity();
        let name = own.map_or(context::PROGRAM, |own| &own.name).to_owned();
        let incarnation = own.map_or(0, |own| own.incarnation);
        let most = LevelFilter::from_level(Level::from(wish.most));
        forward(Forward::new(name, incarnation, most), wish);
    }
    let _ = INHERITED.set(wish);
}

/// Sets the subscriber, unless an initialiser before `main` has set one.
fn forward(all: Forward, wish: &Wish) {
    #[cfg(feature = "logging")]
    if let Some(Ok(filter)) = wish.filter.as_ref().map(tracing_subscriber::EnvFilter::try_new) {
        use tracing_subscriber::layer::Layer;
        let _ = tracing::subscriber::set_global_default(filter.with_subscriber(all));
        return;
    }
    let _ = (tracing::subscriber::set_global_default(all), wish);
}

/// The origin of an event that was said in another process of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Origin {
    /// The name of the actor or task.
    pub actor: String,
    /// Its process id.
    pub pid: u32,
    /// How often it had been started by then, 1 for the first time.
    pub incarnation: u64,
    /// When it was said.
    pub time: SystemTime,
    /// Which event of its process it is, counted from 1. A supervisor counts the events of all its actors
    /// together.
    pub number: u64,
}

/// For subscribers: the origin of the event that this thread is being handed; `None` if it is one of the
/// program itself.
///
/// Never blocks. Returns an origin only while the subscriber is in its `event` (a layer: in its `on_event`).
///
/// ```
/// assert_eq!(phalanx::logging::origin(), None); // the program itself
/// ```
pub fn origin() -> Option<Origin> {
    inbox::origin()
}

/// Writes the events of `tracing` to standard error, those of this process and of every process that it
/// spawns from now on.
///
/// The program writes the lines, each in one write. A line has time, level, process and actor of the event's
/// origin. The environment variable `RUST_LOG` chooses what is written; without it, everything from `info`
/// up. Directives about spans or fields see those of the process that logs. Does nothing if the program has a
/// subscriber already, and nothing in an actor or task of a program that has one. Needs the feature `logging`,
/// which is off by default.
///
/// ```
/// phalanx::logging::init();
/// ```
#[cfg(feature = "logging")]
pub fn init() {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    if let Some(filter) = format::install(&filter) {
        let _ = FILTER.set(filter);
    }
}
