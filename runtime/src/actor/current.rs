//! The process that asks: who am I?

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

use crate::actor::actor_ref::RawRef;
use crate::actor::any_ref::AnyRef;
use crate::control::request::Spec;
use crate::reactor::endpoint::{Card, Peer};
use crate::reactor::foreign;
use crate::reactor::monitor::Monitor;
use crate::reactor::router::Router;
use crate::status::{Ledger, Phase};
use crate::sys::per_process::{COPY, Home};
use crate::sys::{clock, process, seqpacket};

/// What an actor or a task knows of itself; in the program itself, its pid and little else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    name: String,
    pid: u32,
    parent: Option<u32>,
    supervisor: Option<u32>,
    daemon: bool,
    incarnation: u64,
}

/// What a new process is told of itself before user code runs.
struct Identity {
    spec: &'static Spec,
    incarnation: u64,
    home: Home,
}

static IDENTITY: OnceCell<Identity> = OnceCell::new();
/// What a ref to the actor of this process is made of.
static OWN: OnceCell<Own> = OnceCell::new();
/// The deadline of the message in progress; 0 for none.
static DEADLINE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread is in a handler of this process' actor.
    static HANDLING: AtomicBool = const { AtomicBool::new(false) };
    /// Whether this is the thread that takes the messages of this process' actor.
    static SERVING: AtomicBool = const { AtomicBool::new(false) };
}

/// The current process.
///
/// ```
/// use phalanx::prelude::*;
///
/// #[task]
/// fn report() -> (String, Option<u32>) {
///     let me = phalanx::current();
///     (me.name().to_owned(), me.parent())
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let (name, parent) = report::builder().name("reporter").spawn()?.join()?;
/// assert_eq!(name, "reporter");
/// assert_eq!(parent, Some(std::process::id())); // whoever spawned it, not the supervisor that forked it
/// assert_eq!(phalanx::current().parent(), None); // the program itself
/// # Ok(())
/// # }
/// ```
pub fn current() -> Current {
    let pid = std::process::id();
    match IDENTITY.get() {
        Some(own) => Current {
            name: own.spec.name.clone(),
            pid,
            parent: Some(own.spec.parent),
            supervisor: Some(std::os::unix::process::parent_id()),
            daemon: own.spec.daemon,
            incarnation: own.incarnation,
        },
        None => Current {
            name: "main".to_owned(),
            pid,
            parent: None,
            supervisor: None,
            daemon: false,
            incarnation: 0,
        },
    }
}

impl Current {
    /// The actor's or task's name; "main" for the program.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The process that spawned this one (the program, or an actor); `None` for the program itself.
    pub fn parent(&self) -> Option<u32> {
        self.parent
    }

    /// The supervisor that forked this process: its parent as the operating system sees it (`getppid`). `None` for the program itself, which has
    /// been started by somebody else.
    pub fn supervisor(&self) -> Option<u32> {
        self.supervisor
    }

    /// Watches the process that spawned this one (Python's `parent_process`); `None` in the program, and if there is no thread or descriptor for it.
    ///
    /// Its [`Down`](crate::Down) says that the parent has ended, not why: [`SupervisorDied`](crate::ExitReason::SupervisorDied). There is not much time to act on
    /// it, since no process outlives the one that spawned it: when that dies, this one is killed a moment later.
    ///
    /// ```
    /// use phalanx::prelude::*;
    ///
    /// #[task]
    /// fn watch() -> bool {
    ///     let mut parent = phalanx::current().parent_watch().expect("a task has a parent");
    ///     parent.try_recv().is_none() // it is there
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// assert!(watch::spawn()?.join()?);
    /// assert!(phalanx::current().parent_watch().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn parent_watch(&self) -> Option<Monitor> {
        foreign::parent(self.parent?).ok().map(|parent| Monitor::new(&parent))
    }

    /// A ref to this process: an actor, a task, or the program itself.
    ///
    /// # Errors
    /// If there is no descriptor left for what it needs; it is made with the first call. In a copy, by fork, of an actor or a task, which nobody can address.
    pub fn any(&self) -> io::Result<AnyRef> {
        let own = match OWN.get() {
            Some(_) if is_copy() => return Err(io::Error::other(COPY)),
            Some(own) => own.peer()?,
            None => foreign::program()?,
        };
        Ok(AnyRef(own))
    }

    /// Whether it is a daemon.
    pub fn daemon(&self) -> bool {
        self.daemon
    }

    /// How often this actor has been started, this time included; 0 for the program.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Until when the caller of the message in progress waits for its answer; `None` outside of a handler and in a tell.
    pub fn deadline(&self) -> Option<Instant> {
        let deadline = DEADLINE.load(Ordering::Relaxed);
        (deadline != 0).then(|| Instant::now() + Duration::from_nanos(deadline.saturating_sub(clock::now())))
    }
}

pub(crate) fn become_someone(spec: &'static Spec, incarnation: u64) {
    // Set once, by the runtime, before user code.
    let _ = IDENTITY.set(Identity { spec, incarnation, home: Home::here() });
    SERVING.with(|serving| serving.store(true, Ordering::Relaxed));
}

/// Whether this process is a copy, by a fork without exec, of an actor or a task, and neither.
pub(crate) fn is_copy() -> bool {
    IDENTITY.get().is_some_and(|own| !own.home.is_here())
}

/// Ends this process, at once and with words, if it is a copy that has come out of code of the user's: the mailbox, the ledger and the answer
/// to the message in progress are the original's.
pub(crate) fn leave_if_copy() {
    let Some(own) = IDENTITY.get().filter(|own| !own.home.is_here()) else { return };
    let (name, pid) = (&own.spec.name, std::process::id());
    process::say(&format!(
        "phalanx: process {pid} is a copy of `{name}`, made by fork, and has come back from its code: it ends here, and the original goes on\n"
    ));
    process::exit_now(COPY_LEFT);
}

/// The exit code of such a copy (EX_SOFTWARE of sysexits.h).
const COPY_LEFT: i32 = 70;

struct Own {
    spec: &'static Spec,
    ledger: &'static Ledger,
    mailbox: &'static OwnedFd,
    peer: OnceCell<Arc<Peer>>,
}

/// In a new actor: keeps what it needs for a ref to itself.
pub(crate) fn remember_own(spec: &'static Spec, ledger: &'static Ledger, mailbox: &'static OwnedFd) {
    let _ = OWN.set(Own { spec, ledger, mailbox, peer: OnceCell::new() });
}

/// Whether somebody has ordered that this actor stop.
pub(crate) fn is_to_stop() -> bool {
    OWN.get().is_some_and(|own| own.ledger.stop_requested().is_some())
}

/// The actor of this process, as others see it, if it is of that type.
pub(crate) fn own_peer(type_name: &str) -> Option<Arc<Peer>> {
    OWN.get().filter(|own| own.spec.type_name == type_name && !is_copy()).and_then(|own| own.peer().ok())
}

/// The same, of whatever type, for messages of the runtime.
pub(crate) fn own_raw() -> Option<RawRef> {
    OWN.get().filter(|_| !is_copy()).and_then(|own| own.peer().ok()).map(RawRef::bare)
}

/// The sending end of this process' own mailbox, if it has one.
pub(crate) fn own_mailbox() -> Option<BorrowedFd<'static>> {
    OWN.get().map(|own| own.mailbox.as_fd())
}

/// In an actor: its main thread looks around, should it sleep over an empty mailbox.
pub(crate) fn wake_main_thread() {
    if let Some(own) = OWN.get() {
        // No room for it means that there is something to wake up for.
        let _ = seqpacket::send_raw(own.mailbox.as_fd(), b"w", &[]);
    }
}

/// Whether this actor has handled its last message.
pub(crate) fn is_stopping() -> bool {
    OWN.get().is_some_and(|own| own.ledger.phase() == Phase::Stopping)
}

impl Own {
    fn peer(&self) -> io::Result<Arc<Peer>> {
        let make = || {
            let ledger = Ledger::open(self.ledger.file().try_clone_to_owned()?)?;
            let (id, name) = (self.spec.id, self.spec.name.as_str().into());
            let Spec { daemon, timeout, depth, .. } = *self.spec;
            let card = Card { id, name, daemon, timeout, depth };
            Router::get()?.meet(Peer::new(card, self.mailbox.try_clone()?, ledger))
        };
        self.peer.get_or_try_init(make).cloned()
    }
}

#[cfg(debug_assertions)]
thread_local! {
    /// The actors that wait for the message in progress.
    static CHAIN: std::cell::RefCell<Vec<u64>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// More than any sensible chain of calls.
#[cfg(debug_assertions)]
const LONGEST_CHAIN: usize = 32;

#[cfg(debug_assertions)]
pub(crate) fn set_chain(via: &[u64]) {
    let kept = via.iter().copied().take(LONGEST_CHAIN).collect();
    // Where the thread's locals are gone, so is the handler.
    let _ = CHAIN.try_with(|chain| chain.replace(kept));
}

/// Who waits if this thread calls somebody now, and waits for the answer.
#[cfg(debug_assertions)]
pub(crate) fn chain() -> Vec<u64> {
    let Some(own) = IDENTITY.get().filter(|own| is_handling(own.spec.id)) else { return Vec::new() };
    let longer = |chain: &std::cell::RefCell<Vec<u64>>| {
        std::iter::once(own.spec.id).chain(chain.borrow().iter().copied()).take(LONGEST_CHAIN).collect()
    };
    CHAIN.try_with(longer).unwrap_or_default()
}

/// Says so if the actor that is about to be called is itself in a handler that led to this call.
#[cfg(debug_assertions)]
pub(crate) fn warn_of_cycle(peer: &Peer, method: &'static str) {
    let calls_back = CHAIN.try_with(|chain| chain.borrow().contains(&peer.card.id)).unwrap_or_default();
    if calls_back && chain().len() > 1 && peer.ledger.phase() == Phase::Handling {
        let actor = &*peer.card.name;
        tracing::warn!(
            actor,
            method,
            "call cycle: this actor is still in the handler that has led to this call; if each waits for the other, both wait until a deadline"
        );
    }
}

/// Whether this is the thread that takes that actor's messages, whatever it is doing now: `init`, `on_start`, a handler, `on_stop`.
pub(crate) fn serves(id: u64) -> bool {
    SERVING.with(|serving| serving.load(Ordering::Relaxed))
        && IDENTITY.get().is_some_and(|own| own.spec.id == id)
}

/// Whether this thread is handling a message of that actor.
pub(crate) fn is_handling(id: u64) -> bool {
    HANDLING.with(|handling| handling.load(Ordering::Relaxed))
        && IDENTITY.get().is_some_and(|own| own.spec.id == id)
}

/// Notes the message in progress, for as long as the guard lives.
pub(crate) fn handling(deadline: u64) -> impl Drop {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            DEADLINE.store(0, Ordering::Relaxed);
            HANDLING.with(|handling| handling.store(false, Ordering::Relaxed));
        }
    }
    DEADLINE.store(deadline, Ordering::Relaxed);
    HANDLING.with(|handling| handling.store(true, Ordering::Relaxed));
    Guard
}
