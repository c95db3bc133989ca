//! From the fork to user code: everything that a new process is before it is an actor.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::current::{self, Identity};
use crate::mailbox::envelope::Body;
use crate::mailbox::ledger::Ledger;
use crate::process::attic::Attic;
use crate::process::entry::Entry;
use crate::process::last_words;
use crate::process::lines;
use crate::process::request::{Kind, Recycle, Spawn, Spec};
use crate::process::tree;
use crate::supervise::Drain;
use crate::sys::poll::Event;
use crate::sys::{fd, frame, poll, process, rlimit, signal, title};

/// Test hook: how many milliseconds to wait between fork and set-up, so that a supervisor can be killed there.
const FAULT: &str = "PHALANX_FAULT_BEFORE_SETUP_MS";

/// What a supervisor hands to a child it forks.
pub(crate) struct Birth {
    pub(crate) spawn: Spawn,
    pub(crate) entry: &'static Entry,
    pub(crate) incarnation: u64,
    /// The sending end of the child's requests.
    pub(crate) control: OwnedFd,
    pub(crate) doorbell: OwnedFd,
    pub(crate) supervisor: i32,
    pub(crate) descriptors: u64,
}

/// What user code starts with.
pub(crate) struct Start {
    pub(crate) init: Body,
    pub(crate) fds: Vec<OwnedFd>,
    pub(crate) receiver: OwnedFd,
    /// Mapped for good: signal handlers and the panic hook write to it.
    pub(crate) ledger: &'static Ledger,
    pub(crate) attic: Option<Attic>,
    pub(crate) recycle: Option<Recycle>,
    pub(crate) drain: Drain,
}

/// Goes on as the child. The order matters: first what makes sure that nothing outlives its parent, then what keeps the
/// supervisor's things away, then identity, and limits last.
pub(crate) fn enter(birth: Birth) -> ! {
    process::own_group();
    if !process::die_with(birth.supervisor, process::SIGKILL) {
        process::exit_now(0);
    }
    wait_at_fault_point(birth.supervisor);
    let Birth { spawn, entry, control, doorbell, descriptors, incarnation, .. } = birth;
    let Spawn { spec, receiver, sender, ledger, init, fds, attic, .. } = spawn;
    let own = [receiver.as_raw_fd(), control.as_raw_fd(), doorbell.as_raw_fd()];
    let keep: Vec<i32> = own
        .into_iter()
        .chain(sender.iter().map(AsRawFd::as_raw_fd))
        .chain([ledger.file().as_raw_fd()])
        .chain(lines::descriptors())
        .chain(attic.iter().flat_map(Attic::descriptors))
        .chain(fds.iter().map(AsRawFd::as_raw_fd))
        .collect();
    fd::close_all_except(&keep);
    let ledger: &'static Ledger = Box::leak(Box::new(ledger));
    // Its parent writes the same, but may come to it only when others know already that this process is ready.
    ledger.started(process::pid(), incarnation);
    current::remember_own(&spec, ledger, sender.as_ref());
    take_signals(spec.kind, sender);
    title::set(&spec.name);
    // Orphans among this process' descendants come to it; when it dies they come to the supervisor as strays.
    process::become_subreaper();
    rlimit::set_descriptors(descriptors);
    identify(&spec, incarnation);
    tree::inherit(control, Event::from_fd(doorbell), ledger);
    last_words::keep(ledger);
    crate::logging::inherit(spec.log);
    if let Some(limit) = spec.memory {
        signal::explain_aborts(ledger.out_of_memory_word(), limit);
        rlimit::set_memory(limit);
    }
    let code =
        (entry.run)(Start { init, fds, receiver, ledger, attic, recycle: spec.recycle, drain: spec.drain });
    std::process::exit(code)
}

/// Default dispositions (the supervisor has changed two) and an empty mask; in an actor, SIGTERM is noted and wakes the mailbox (through a sending end
/// of its own), so that it is never lost between looking and waiting.
fn take_signals(kind: Kind, sender: Option<OwnedFd>) {
    signal::forget();
    signal::unwatch(process::SIGCHLD);
    signal::unwatch(process::SIGTERM);
    if let Some(sender) = sender.filter(|_| kind == Kind::Actor) {
        let sender: &'static OwnedFd = Box::leak(Box::new(sender));
        signal::wake_through(sender.as_fd(), false);
        signal::watch_quietly(process::SIGTERM);
    }
    signal::Mask::of(&[]).install();
}

fn identify(spec: &Spec, incarnation: u64) {
    current::become_someone(Identity {
        id: spec.id,
        name: spec.name.clone(),
        parent: spec.parent,
        daemon: spec.daemon,
        incarnation,
    });
}

fn wait_at_fault_point(supervisor: i32) {
    let Some(millis) = std::env::var(FAULT).ok().and_then(|text| text.parse().ok()) else { return };
    poll::pause(std::time::Duration::from_millis(millis));
    if process::parent() != supervisor {
        process::exit_now(0);
    }
}

/// Tells those who wait for it that the process is ready.
pub(crate) fn announce_ready(ledger: &Ledger, receiver: &OwnedFd) {
    ledger.ready();
    tree::say_ready();
    // The mailbox, rung from its inner side.
    let _ = frame::send_raw(receiver.as_fd(), b"r", &[]);
}
