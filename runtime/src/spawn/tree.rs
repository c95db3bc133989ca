//! The supervision tree below this process: asking it for children, and ending it.
//!
//! In the program the tree is started on demand ([`super::root`]) and started anew if its supervisor was killed. An actor has
//! its control channel from birth, and a supervisor is forked for it when it first wants one, and again if that one has
//! ended and it wants another. Its own supervisor keeps the receiving end, so requests outlive the one they were sent to.

use crate::reactor::context;
use crate::status::root_supervisor;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::control::notification::{Place, Word};
use crate::control::request;
use crate::control::step::NoTree;
use crate::introspect::tree;
use crate::reactor::endpoint::Peer;
use crate::spawn::root;
use crate::status::{Ledger, State, StopMode};
use crate::sys::credentials::Credentials;
use crate::sys::per_process::Own;
use crate::sys::poll::{self, Epoll};
use crate::sys::{clock, fd};

/// How long a supervisor may leave a request lying.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The way to a supervisor.
pub(crate) struct Tree {
    control: OwnedFd,
    /// The process itself, if it is the program's: copies of its end of `control` may outlive it for a moment, in forks that have
    /// not run yet.
    supervisor: Option<OwnedFd>,
    /// Of the program's: the mailboxes that it keeps receiving ends of, until they have hung up.
    kept: Option<Epoll>,
    /// Rung with every request: a supervisor that does not exist yet comes into being by it.
    bell: Option<(Place, &'static Ledger)>,
    /// The rights of this process when its supervisor was made, which are those of the supervisor; `None`: those of the process that it was forked from.
    credentials: Option<Credentials>,
}

/// In a supervisor and what is forked from it: its rights.
static CREDENTIALS: OnceCell<Credentials> = OnceCell::new();

/// What an actor is born with.
static INHERITED: OnceCell<Arc<Tree>> = OnceCell::new();

/// The processes that this one has spawned, in order.
static SPAWNED: Own<Mutex<Vec<Weak<Peer>>>> = Own::new();

impl Tree {
    /// # Errors
    /// `EMFILE` and the like.
    pub(crate) fn new(control: OwnedFd, supervisor: OwnedFd) -> io::Result<Tree> {
        let (supervisor, kept) = (Some(supervisor), Some(Epoll::new()?));
        Ok(Tree { control, supervisor, kept, bell: None, credentials: Some(Credentials::now()) })
    }

    pub(crate) fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Whether it is the program's, whose supervisor is the root.
    pub(crate) fn is_programs(&self) -> bool {
        self.supervisor.is_some()
    }

    pub(crate) fn kept(&self) -> Option<&Epoll> {
        self.kept.as_ref()
    }

    /// Which supervisor it has: a number that changes when that one ends.
    pub(crate) fn term(&self) -> u32 {
        self.bell.as_ref().map_or(0, |(_, ledger)| ledger.supervisors_ended())
    }

    /// Whether the supervisor of this term is gone.
    pub(crate) fn is_gone(&self, term: u32) -> bool {
        let ended =
            |process: &OwnedFd| poll::readable(process.as_fd(), Some(Duration::ZERO)).unwrap_or(false);
        self.term() != term || self.supervisor.as_ref().is_some_and(ended) || fd::hung_up(self.control())
    }

    /// Why the supervisor could not be forked, if that is why there is none.
    pub(crate) fn error(&self) -> Option<io::Error> {
        let number = self.bell.as_ref().map_or(0, |(_, ledger)| ledger.supervisor_error());
        (number != 0).then(|| io::Error::from_raw_os_error(number))
    }

    /// Makes sure that there is somebody who reads what was sent.
    pub(crate) fn ring(&self) {
        if let Some((bell, ledger)) = &self.bell {
            ledger.want_supervisor();
            bell.say(Word::Look);
        }
    }

    /// Asks the supervisor to end everything, and waits until it is gone.
    fn end(&self, mode: StopMode, by: u64) {
        let term = self.term();
        let asked = request::shut_down(self.control(), mode, term, by, clock::after(PATIENCE));
        self.ring();
        while asked.is_ok() && !self.is_gone(term) {
            // Both end with the supervisor's death, which is what this waits for.
            match &self.bell {
                Some((_, ledger)) => ledger.await_supervisor_end(term),
                None => {
                    let process = self.supervisor.as_ref().map_or(self.control(), AsFd::as_fd);
                    drop(poll::readable(process, Some(Duration::from_secs(1))));
                }
            }
        }
    }
}

/// In a supervisor, before it forks: notes with which rights its children start.
pub(crate) fn prepare() {
    CREDENTIALS.get_or_init(Credentials::now);
}

/// In a new actor or task: remembers how to get a supervisor.
pub(crate) fn inherit(control: OwnedFd, place: Place, ledger: &'static Ledger) {
    let bell = Some((place, ledger));
    let _ = INHERITED.set(Arc::new(Tree { control, supervisor: None, kept: None, bell, credentials: None }));
}

/// In an actor: its supervisor is to look at the limit of the message that has just begun.
pub(crate) fn ask_to_watch() {
    say(Word::Look);
}

/// In a new process: it is ready.
pub(crate) fn say_ready() {
    say(Word::Ready);
}

fn say(word: Word) {
    if let Some((place, _)) = INHERITED.get().and_then(|tree| tree.bell.as_ref()) {
        place.say(word);
    }
}

/// What this process was born with: nothing in the program, and nothing that its copies could use.
fn inherited() -> Result<Option<&'static Arc<Tree>>, NoTree> {
    match INHERITED.get() {
        Some(_) if context::is_copy() => Err(NoTree::Copy),
        inherited => Ok(inherited),
    }
}

/// The tree to spawn into.
///
/// # Errors
/// If there is none and none can be started; in a copy of an actor or a task.
pub(crate) fn get() -> Result<Arc<Tree>, NoTree> {
    let tree = inherited()?.map_or_else(root::tree, |tree| Ok(Arc::clone(tree)))?;
    let before = tree.credentials.as_ref().or_else(|| CREDENTIALS.get());
    match before.and_then(|before| Credentials::now().difference(before)) {
        None => Ok(tree),
        Some(difference) => Err(NoTree::Credentials(unequal(&difference))),
    }
}

fn unequal(difference: &str) -> String {
    let remedy = match INHERITED.get() {
        Some(_) => "an actor that gives up rights spawns nothing afterwards",
        None => "a program gives up rights before its first spawn, or after `phalanx::shutdown()`",
    };
    format!(
        "this process has other rights than its supervisor, and so than what that would start: {difference}; {remedy}"
    )
}

fn spawned() -> MutexGuard<'static, Vec<Weak<Peer>>> {
    SPAWNED.here().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a child of this process.
pub(crate) fn adopt(peer: &Arc<Peer>) {
    let mut spawned = spawned();
    spawned.retain(|known| known.strong_count() > 0);
    spawned.push(Arc::downgrade(peer));
}

/// Ends everything that this process has started, in order: see [`crate::shutdown`].
pub(crate) fn shut_down(mode: StopMode) {
    shut_down_by(mode, 0);
}

/// The same, with a moment at which what is left is killed; 0 for never.
pub(crate) fn shut_down_by(mode: StopMode, by: u64) {
    match inherited() {
        Ok(Some(tree)) if has_spawned() => tree.end(mode, by),
        // A copy of an actor has started nothing either.
        Ok(Some(_)) | Err(_) => {}
        Ok(None) => root::shut_down(|tree| tree.end(mode, by)),
    }
}

fn has_spawned() -> bool {
    !spawned().is_empty()
}

/// A process that this one has spawned and that is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Child {
    /// Its name.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Whether it is a daemon.
    pub daemon: bool,
}

/// The living processes that this one has spawned, in the order of their start (Python's `active_children`, which reaps as a side effect; this only looks).
///
/// Those whose handle was dropped are among them: they are found where this process' supervisor holds them, in shared memory and `/proc`, and nobody is asked. What is
/// below a declared supervisor is its, and not listed here.
///
/// ```
/// use phalanx::prelude::*;
///
/// #[task]
/// fn nap() {
///     std::thread::sleep(std::time::Duration::from_secs(100))
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let napping = nap::builder().name("nap").spawn()?;
/// assert_eq!(phalanx::children()[0].name, "nap");
/// napping.kill()?;
/// let _ = napping.join();
/// assert!(phalanx::children().is_empty());
/// # Ok(())
/// # }
/// ```
pub fn children() -> Vec<Child> {
    let known: Vec<Arc<Peer>> = spawned().iter().filter_map(Weak::upgrade).collect();
    let living = known.iter().filter(|peer| !peer.is_dead()).map(|peer| &peer.ledger);
    let held = own_supervisor().map(tree::held_by).unwrap_or_default();
    let mut all: BTreeMap<(u64, u64), Child> = BTreeMap::new();
    for ledger in living.chain(&held).filter(|ledger| has_life(ledger)) {
        let (name, pid, daemon) = (ledger.signature().0, ledger.pid(), ledger.is_daemon());
        all.insert((ledger.made(), ledger.id()), Child { name, pid, daemon });
    }
    // The page has room for the beginning of a name only.
    for peer in &known {
        if let Some(child) = all.get_mut(&(peer.ledger.made(), peer.card.id)) {
            child.name = peer.card.name.to_string();
        }
    }
    all.into_values().collect()
}

/// Whether it has a process, or will have one again by itself.
fn has_life(ledger: &Ledger) -> bool {
    matches!(ledger.state(), State::Starting | State::Ready | State::Restarting) && ledger.pid() != 0
}

/// The supervisor that this process spawns with, if there is one.
fn own_supervisor() -> Option<i32> {
    match inherited().ok()? {
        Some(tree) => tree.bell.as_ref().map(|(_, ledger)| ledger.supervisor_pid()).filter(|&pid| pid != 0),
        None => root_supervisor::pid(),
    }
}
