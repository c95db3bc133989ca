//! From the fork to user code: all set-up of a new process before it is an actor.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::child::{attributes, panic};
use crate::control::entry::{Entry, Start};
use crate::control::fd_store::FdStore;
use crate::control::link;
use crate::control::notification::Slot;
use crate::control::output::Writers;
use crate::control::request::{Kind, Spawn, Spec};
use crate::ipc::{bounds, codec, uplink};
use crate::reactor::context::{self, Identity};
use crate::reactor::{last_words, own};
use crate::status::{StatusPage, register};
use crate::sys::poll::{self, Event};
use crate::sys::{fd, memfd, process, proctitle, rlimit, seqpacket, signal};

/// Test hook: how many milliseconds to wait between fork and set-up; a test can kill the supervisor there.
const FAULT: &str = "PHALANX_FAULT_BEFORE_SETUP_MS";
static PAUSE: OnceCell<Option<Duration>> = OnceCell::new();

/// What a supervisor hands to a child. Made before the fork, so that the child needs no memory pages of its
/// own for it.
pub(crate) struct ChildSetup {
    pub(crate) spawn: Spawn,
    pub(crate) entry: &'static Entry,
    pub(crate) incarnation: u64,
    /// The sending end of the child's requests.
    pub(crate) control: OwnedFd,
    pub(crate) slot: Slot,
    /// The pipes that its output goes into.
    pub(crate) output: Writers,
    /// All descriptors but the child's own.
    pub(crate) close: fd::Others,
    pub(crate) supervisor: i32,
    pub(crate) descriptors: u64,
    /// Room for messages.
    pub(crate) buffer: Vec<u8>,
    /// Where a standby process waits until it is needed.
    pub(crate) latch: Option<Latch>,
}

/// Holds a standby process back until it is to become an actor.
pub(crate) struct Latch(Event);

impl Latch {
    pub(crate) fn new() -> io::Result<Latch> {
        Event::new().map(Latch)
    }

    /// In the supervisor: lets the process pass. If `lazy`, it does not ring when it is ready.
    pub(crate) fn open(&self, lazy: bool) {
        self.0.add(if lazy { 2 } else { 1 });
    }

    /// In the supervisor: whether the process has not passed since it was opened. The kernel is asked, not
    /// the process, which no longer has a latch when it runs user code.
    pub(crate) fn is_unpassed(&self) -> bool {
        poll::readable(self.0.as_fd(), Some(Duration::ZERO)).is_ok_and(|open| open)
    }

    /// In the standby process: blocks until it may pass. Returns whether it is lazy then.
    fn pass(&self) -> bool {
        loop {
            let _ = poll::readable(self.0.as_fd(), None);
            match self.0.clear() {
                0 => {}
                word => return word == 2,
            }
        }
    }
}

impl AsFd for Latch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// In a supervisor, once: does what each child would otherwise do for itself, with copies of the memory pages
/// that it takes.
pub(crate) fn prepare() {
    PAUSE.get_or_init(|| {
        let millis = std::env::var(FAULT).ok().and_then(|text| text.parse().ok());
        millis.map(Duration::from_millis)
    });
    panic::prepare();
    codec::prepare();
    link::prepare();
}

/// The descriptors of a child of this kind, beside those that every process of the tree has.
pub(crate) fn descriptors(
    spawn: &Spawn,
    control: &OwnedFd,
    bell: BorrowedFd<'_>,
    output: &Writers,
) -> Vec<RawFd> {
    let own = [spawn.receiver.as_raw_fd(), control.as_raw_fd(), bell.as_raw_fd()];
    own.into_iter()
        .chain(spawn.sender.iter().map(AsRawFd::as_raw_fd))
        .chain([spawn.status_page.file().as_raw_fd()])
        .chain(uplink::descriptors())
        .chain(spawn.fd_store.iter().flat_map(FdStore::descriptors))
        .chain(spawn.fds.iter().map(AsRawFd::as_raw_fd))
        .chain(output.descriptors())
        .collect()
}

/// Continues as the child. The order matters: first what makes sure that nothing outlives its parent, then
/// what closes the supervisor's resources, then identity, and limits last.
pub(crate) fn enter(birth: ChildSetup) -> ! {
    process::own_group();
    if !process::die_with(birth.supervisor, process::SIGKILL) {
        process::exit_now(0);
    }
    wait_at_fault_point(birth.supervisor);
    if !birth.close.close() {
        process::exit_now(1);
    }
    let ChildSetup {
        mut spawn,
        entry,
        output,
        control,
        mut slot,
        descriptors,
        incarnation,
        buffer,
        latch,
        supervisor,
        ..
    } = birth;
    if !output.install() {
        process::exit_now(1);
    }
    memfd::keep_pages_from_children(false);
    spawn.reset_after_fork();
    let Spawn { spec, receiver, sender, status_page, init, fds, fd_store, .. } = spawn;
    // Leaked for the life of the process: its code, handlers and refs use them.
    let (spec, status_page): (&'static Spec, &'static StatusPage) =
        (Box::leak(spec), Box::leak(Box::new(status_page)));
    take_signals(spec, status_page, sender);
    match &latch {
        Some(_) => proctitle::set(&format!("phx-spare: {}", spec.name)),
        None => proctitle::set(&spec.name),
    }
    // Orphaned descendants come to this process; when it dies they go to the supervisor. Where becoming a
    // subreaper is refused, its supervisor, which is one, gets them at once.
    let _ = process::become_subreaper();
    rlimit::set_descriptors(descriptors);
    context::set_identity(identity_of(spec, incarnation));
    last_words::keep(status_page);
    crate::logging::inherit(spec.log.clone(), spec.printer);
    if let Some(latch) = latch {
        slot.lazy = latch.pass();
        proctitle::set(&spec.name);
    }
    status_page.be_vouched_for(supervisor, register::number());
    status_page.started(process::pid(), incarnation);
    link::inherit(control, slot, status_page);
    if let Some(limit) = spec.options.memory {
        signal::explain_aborts(status_page.out_of_memory_word(), limit);
        // A limit that the system itself holds it to is as good.
        let _ = rlimit::set_memory(limit);
    }
    if let Some(attributes) = &spec.attributes
        && let Err(code) = attributes::enter(attributes, status_page)
    {
        std::process::exit(code);
    }
    let (recycle, drain) = (spec.options.recycle, spec.options.drain.unwrap_or_default());
    let start = Start { init, fds, receiver, status_page, fd_store, recycle, drain, buffer };
    let code = bounds::live(spec.options.depth(), || (entry.run)(start));
    std::process::exit(code)
}

fn identity_of(spec: &Spec, incarnation: u64) -> Identity {
    let Spec { id, parent, ref options, .. } = *spec;
    let (daemon, timeout, depth) = (options.daemon, options.timeout(), options.depth());
    let (name, type_name) = (spec.name.clone(), spec.type_name.clone());
    Identity { id, name, type_name, parent, daemon, timeout, depth, incarnation }
}

/// Restores default dispositions (the supervisor changed two) and an empty mask. In an actor, SIGTERM is
/// noted and wakes the mailbox, through a sending end of its own, so that it is never lost between a look and
/// a wait.
fn take_signals(spec: &'static Spec, status_page: &'static StatusPage, sender: Option<OwnedFd>) {
    signal::forget();
    signal::unwatch(process::SIGCHLD);
    let sender: Option<&'static OwnedFd> = sender.map(|sender| &*Box::leak(Box::new(sender)));
    if let Some(sender) = sender {
        own::set_own_endpoint(status_page, sender);
    }
    match sender.filter(|_| spec.kind == Kind::Actor) {
        Some(sender) => {
            signal::wake_through(sender.as_fd(), false);
            signal::watch_quietly(process::SIGTERM);
        }
        None => signal::unwatch(process::SIGTERM),
    }
    signal::Mask::of(&[]).install();
}

fn wait_at_fault_point(supervisor: i32) {
    let Some(&Some(moment)) = PAUSE.get() else { return };
    poll::pause(moment);
    if process::parent() != supervisor {
        process::exit_now(0);
    }
}

/// Announces that the process is ready.
pub(crate) fn announce_ready(status_page: &StatusPage, receiver: &OwnedFd) {
    let is_first = status_page.ready();
    link::say_ready();
    // Ring the mailbox from its receiving side. The spawner waits for that, also if the first process was
    // stopped before it was ready. No process waits for a later one.
    if is_first {
        let _ = seqpacket::send_raw(receiver.as_fd(), b"r", &[]);
    }
}
