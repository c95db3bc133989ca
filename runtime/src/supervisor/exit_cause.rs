//! Why a child ended: from its wait status, its status page, and what its supervisor did to it.
//!
//! The kernel gives the wait status, and the supervisor knows what it did to the child. The status page only
//! tells ends of one kind apart, as the ended process described itself. A lie there gives that process a
//! wrong reason, and at most a restart too many or too few.

use std::time::Duration;

use crate::control::request::Spec;
use crate::policy::Exit;
use crate::reactor::last_words;
use crate::status::{ExitNotice, ExitRecord, InProgressRecord, Phase, StatusPage, cut};
use crate::sys::clock;
use crate::sys::process::{SIGABRT, SIGKILL, Wait};
use crate::types::exit::{ExitReason, StoppedBy};
use crate::types::method::{Method, method_name};
use crate::types::spawn_error_kind::SpawnErrorKind;

/// Why a supervisor ends a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KillReason {
    StartTimeout {
        after: Duration,
    },
    DeadlineExceeded {
        method: u32,
        after: Duration,
    },
    /// On behalf of `by`; `after` is the grace that it had.
    Killed {
        by: StoppedBy,
        after: Option<Duration>,
    },
}

/// How much of the last lines of a command is recorded, in bytes.
const SAID: usize = 512;

/// Stands for a method: the child took no messages.
pub(crate) const TAKING: u32 = u32::MAX;

/// Stands for a method: the page that would name it was overwritten.
pub(crate) const UNKNOWN: u32 = u32::MAX - 1;

/// The record of a child's exit. Only its supervisor knows whether it was ready.
pub(crate) fn exit_record(
    methods: &'static [Method],
    status_page: &StatusPage,
    wait: Wait,
    kill_reason: Option<KillReason>,
) -> ExitRecord {
    let code = match wait {
        Wait::Exited(code) => code,
        Wait::Signaled { signal, .. } => -signal,
    };
    let in_progress = in_progress(methods, status_page);
    let refusal = refusal(status_page, wait, kill_reason.as_ref());
    let unserved = status_page.depth().load(std::sync::atomic::Ordering::SeqCst).min(status_page.capacity());
    let unanswered = status_page.unanswered();
    let reason = reason(methods, status_page, wait, kill_reason);
    let said = status_page.words().filter(|(lines, place, _)| place == last_words::SAID && !lines.is_empty());
    let said = said.map(|(lines, ..)| cut(&lines, SAID).to_owned());
    ExitRecord { reason, code, refusal, in_progress, unserved, unanswered, said, ..ExitRecord::orphaned() }
}

/// The message that a process is busy with, or was when it ended.
pub(crate) fn in_progress(methods: &'static [Method], status_page: &StatusPage) -> Option<InProgressRecord> {
    status_page.last_progress().map(|busy| InProgressRecord {
        session: busy.session,
        seq: busy.seq,
        method: method_name(methods, busy.method).to_owned(),
        running: Duration::from_nanos(clock::now().saturating_sub(busy.since)),
        answering: busy.answering,
        again: false,
    })
}

/// The record of a process that ended with its supervisor, from its page. Callers that wait for its replies
/// are told.
pub(crate) fn of_orphan(methods: &'static [Method], status_page: &StatusPage) -> ExitRecord {
    let mut in_progress = in_progress(methods, status_page);
    if let Some(busy) = &mut in_progress {
        busy.again = may_be_repeated(methods, status_page);
    }
    ExitRecord { in_progress, unanswered: status_page.unanswered(), ..ExitRecord::orphaned() }
}

/// Whether the next process will handle the message in which this one died.
pub(crate) fn may_be_repeated(methods: &'static [Method], status_page: &StatusPage) -> bool {
    let method = status_page.last_progress().and_then(|busy| methods.get(busy.method as usize));
    method.is_some_and(|method| status_page.attempts() < method.attempts)
}

fn refusal(status_page: &StatusPage, wait: Wait, kill_reason: Option<&KillReason>) -> Option<SpawnErrorKind> {
    // A process that was about to be killed may have ended by itself before.
    match (kill_reason.filter(|kill_reason| !matches!(kill_reason, KillReason::Killed { .. })), wait) {
        (Some(&KillReason::StartTimeout { after }), _) => {
            let awaited = status_page.words().filter(|(_, place, _)| place == last_words::AWAITED);
            Some(SpawnErrorKind::StartTimeout(after, awaited.map(|words| words.0).unwrap_or_default()))
        }
        (None, Wait::Exited(_)) if status_page.exit_notice() == Some(ExitNotice::Undecodable) => {
            Some(SpawnErrorKind::Codec(status_page.words().map(|words| words.0).unwrap_or_default()))
        }
        (None, Wait::Exited(_)) if status_page.exit_notice() == Some(ExitNotice::NoOption) => {
            Some(SpawnErrorKind::Option(status_page.words().map(|words| words.0).unwrap_or_default()))
        }
        (None, Wait::Exited(_)) if status_page.exit_notice() == Some(ExitNotice::Ignored) => {
            Some(SpawnErrorKind::Ignored)
        }
        _ => None,
    }
}

/// The kind of exit, for the restart policy.
pub(crate) fn exit(spec: &Spec, status_page: &StatusPage, exit_record: &ExitRecord) -> Exit {
    if status_page.was_ordered() || status_page.exit_notice() == Some(ExitNotice::ForGood) {
        return Exit::NoRestart;
    }
    match &exit_record.reason {
        // A recycling counts against no allowance, so the spec must ask for it.
        ExitReason::Recycled if spec.options.recycle.is_some() => Exit::Recycled,
        ExitReason::Normal | ExitReason::Stopped(_) | ExitReason::Exited(0) => Exit::Success,
        _ => Exit::Crash,
    }
}

fn reason(
    methods: &'static [Method],
    status_page: &StatusPage,
    wait: Wait,
    kill_reason: Option<KillReason>,
) -> ExitReason {
    if let Some(KillReason::DeadlineExceeded { method, after }) = kill_reason {
        let method = match method {
            TAKING => "(taking a message)",
            UNKNOWN => "(its page has been overwritten)",
            method => method_name(methods, method),
        };
        return ExitReason::DeadlineExceeded { method: method.to_owned(), after };
    }
    let killed = match kill_reason {
        Some(KillReason::Killed { by, after }) => Some((by, after)),
        _ => status_page.kill_noted().map(|after| (StoppedBy::Ref, after)),
    };
    if let (Wait::Signaled { signal: SIGKILL, .. }, Some((by, after))) = (wait, killed) {
        return ExitReason::Killed { by, after };
    }
    match wait {
        Wait::Exited(code) => exited(methods, status_page, code),
        Wait::Signaled { signal: SIGABRT, .. } if status_page.ran_out_of_memory() => ExitReason::OutOfMemory,
        // A panic that could not unwind.
        Wait::Signaled { signal: SIGABRT, .. }
            if status_page
                .words()
                .is_some_and(|words| !words.0.is_empty() && words.1 != last_words::SAID) =>
        {
            panicked(methods, status_page)
        }
        Wait::Signaled { signal, core_dumped } => ExitReason::Signaled { signal, core_dumped },
    }
}

/// An exit that the runtime did not announce was user code's, code 0 included.
fn exited(methods: &'static [Method], status_page: &StatusPage, code: i32) -> ExitReason {
    match status_page.exit_notice() {
        Some(ExitNotice::Stopped) => ExitReason::Stopped(status_page.stopped_by()),
        Some(ExitNotice::Returned | ExitNotice::Ignored) => ExitReason::Normal,
        Some(ExitNotice::Recycled) => ExitReason::Recycled,
        Some(ExitNotice::Itself | ExitNotice::ForGood) => ExitReason::Stopped(StoppedBy::Itself),
        Some(ExitNotice::Linked) => {
            let (reason, to, _) = status_page.words().unwrap_or_default();
            ExitReason::Linked { to, reason }
        }
        Some(ExitNotice::Intensity) => ExitReason::IntensityReached,
        Some(ExitNotice::Panicked) => panicked(methods, status_page),
        Some(ExitNotice::InitFailed | ExitNotice::NoOption) => {
            ExitReason::InitFailed(status_page.words().map(|words| words.0).unwrap_or_default())
        }
        Some(ExitNotice::Broken) => {
            ExitReason::Broken(status_page.words().map(|words| words.0).unwrap_or_default())
        }
        Some(ExitNotice::Undecodable) | None => ExitReason::Exited(code),
    }
}

fn panicked(methods: &'static [Method], status_page: &StatusPage) -> ExitReason {
    let (message, location, method) = status_page.words().unwrap_or_default();
    let method = match method {
        Some(index) => Some(method_name(methods, index).to_owned()),
        None => (status_page.phase() == Phase::Stopping).then(|| "on_stop".to_owned()),
    };
    ExitReason::Panicked { message, location, method }
}
