//! What supervisors log about their children: events of the target `phalanx::supervisor` in the program's
//! log.
//!
//! An event is sent if the program wants its level for that child, and dropped if there is no room: a
//! supervisor does not wait for a reader. The table in [`crate::logging`] lists the events.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::output::Source;
use crate::control::request::Spec;
use crate::logging::outbox;
use crate::logging::record::{self, Record, Severity, Site, TARGET, Value};
use crate::status::ExitRecord;
use crate::sys::signal;
use crate::types::exit::ExitReason;

/// The target of what actors and tasks write to their standard output and standard error.
const OUTPUT: &str = "phalanx::output";

/// Set when everything ends because the owner of this supervisor is gone: see [`tear_down`].
static TORN_DOWN: AtomicBool = AtomicBool::new(false);

/// From now on processes are killed because the owner ended, which is not worth a warning.
pub(crate) fn tear_down() {
    TORN_DOWN.store(true, Ordering::Relaxed);
}

/// The child's process was forked.
pub(crate) fn started(spec: &Spec, pid: i32, incarnation: u64) {
    say(spec, pid, incarnation, Severity::Debug, "started", vec![]);
}

/// The child's process ended as recorded; `as_asked` if its supervisor requested that by SIGTERM.
pub(crate) fn ended(spec: &Spec, pid: i32, incarnation: u64, as_asked: bool, exit_record: &ExitRecord) {
    let reason = &exit_record.reason;
    let on_purpose = as_asked || TORN_DOWN.load(Ordering::Relaxed) && reason.signal().is_some();
    let (level, message) = match reason {
        // The spawner gets this error itself.
        _ if exit_record.unready && incarnation <= 1 => (Severity::Debug, "not started"),
        _ if exit_record.unready => (Severity::Warn, "not started"),
        ExitReason::Normal => (Severity::Debug, "ended"),
        // Its own code ended it, and no error is known.
        ExitReason::Exited(0) => (Severity::Info, "ended"),
        ExitReason::Killed { after: Some(_), .. } => (Severity::Warn, "killed"),
        ExitReason::Killed { .. } => (Severity::Debug, "killed"),
        _ if reason.is_orderly() || on_purpose => (Severity::Debug, "stopped"),
        _ => (Severity::Warn, "crashed"),
    };
    say(spec, pid, incarnation, level, message, vec![("reason", shown(reason))]);
    dead_letters(spec, pid.unsigned_abs(), incarnation, exit_record.unserved);
}

/// These many messages were in the child's mailbox when no process was left to read them.
pub(crate) fn dead_letters(spec: &Spec, pid: u32, incarnation: u64, messages: u32) {
    if messages > 0 {
        let fields = vec![("messages", Value::U64(messages.into()))];
        say(spec, pid.cast_signed(), incarnation, Severity::Warn, "dead letters", fields);
    }
}

/// The child is killed because this method ran for so long.
pub(crate) fn killed_by_the_watchdog(spec: &Spec, pid: i32, incarnation: u64, method: &str, after: Duration) {
    let fields = vec![("method", Value::Str(method.into())), ("after_ms", millis(after))];
    say(spec, pid, incarnation, Severity::Warn, "killed by the watchdog", fields);
}

/// The child was stopped by this signal, and does nothing until it is continued.
pub(crate) fn suspended(spec: &Spec, pid: i32, incarnation: u64, signal: i32) {
    let fields = vec![("signal", Value::Debug(Cow::Owned(signal::name(signal))))];
    say(spec, pid, incarnation, Severity::Warn, "suspended", fields);
}

/// A process was forked for the child's restart of this number; the last one ended for this reason.
pub(crate) fn restarted(spec: &Spec, pid: i32, incarnation: u64, restarts: u64, reason: &ExitReason) {
    // A crash has been warned of; a planned replacement is routine.
    let level = if reason.is_orderly() { Severity::Debug } else { Severity::Info };
    let fields = vec![("restarts", Value::U64(restarts)), ("reason", shown(reason))];
    say(spec, pid, incarnation, level, "restarted", fields);
}

/// The child restarts after a pause.
pub(crate) fn waiting(spec: &Spec, pid: i32, incarnation: u64, delay: Duration) {
    say(spec, pid, incarnation, Severity::Warn, "waiting", vec![("delay_ms", millis(delay))]);
}

/// The child's end is escalated to the supervisor above.
pub(crate) fn escalated(spec: &Spec, pid: i32, incarnation: u64, reason: &ExitReason) {
    say(spec, pid, incarnation, Severity::Error, "escalated", vec![("reason", shown(reason))]);
}

/// The child is not started again.
pub(crate) fn gave_up(spec: &Spec, pid: i32, incarnation: u64, reason: &ExitReason) {
    say(spec, pid, incarnation, Severity::Error, "gave up", vec![("reason", shown(reason))]);
}

/// A line that a child wrote to this stream. Returns `false` if there is no room for it now.
pub(super) fn line(of: &Source, line: &str) -> bool {
    let level = of.level();
    let record = Record {
        actor: Cow::Borrowed(&of.actor),
        pid: of.pid.unsigned_abs(),
        incarnation: of.incarnation,
        time: record::now(),
        level,
        site: Site { target: OUTPUT, name: "line", module: Some(module_path!()), file: None, line: None },
        spans: "".into(),
        fields: vec![
            ("message", Value::Debug(line.into())),
            ("stream", Value::Str(of.channel.name().into())),
        ],
    };
    outbox::offer(&record)
}

fn shown(reason: &ExitReason) -> Value<'static> {
    Value::Debug(Cow::Owned(reason.to_string()))
}

fn millis(duration: Duration) -> Value<'static> {
    Value::U64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Sends an event, if the program wants it and there is room.
fn say<'a>(
    spec: &'a Spec,
    pid: i32,
    incarnation: u64,
    level: Severity,
    message: &'static str,
    fields: Vec<(&'a str, Value<'a>)>,
) {
    if !spec.log.as_ref().is_some_and(|wish| wish.wants(level)) {
        return;
    }
    let mut all = vec![("message", Value::Debug(message.into()))];
    all.extend(fields);
    let record = Record {
        actor: Cow::Borrowed(&spec.name),
        pid: pid.unsigned_abs(),
        incarnation,
        time: record::now(),
        level,
        site: Site { target: TARGET, name: message, module: Some(module_path!()), file: None, line: None },
        spans: "".into(),
        fields: all,
    };
    outbox::send(&record, Duration::ZERO);
}
