//! What the program keeps of the processes that it restarts after its root supervisor died.
//!
//! Supervisors hold what a restart needs; when the root supervisor dies, all of them do. So the program keeps
//! what it sent for each process that it spawns with a restart type other than `Temporary`, and for all below
//! it: spec, arguments, the mailbox's receiving end, the channels of its callers. It sends this again to the
//! next root supervisor, and the queued messages are served then.
//!
//! While the program has a receiving end too, a mailbox does not hang up when the supervisors are gone or
//! have lost a request. So the program asks whether a request has arrived ([`confirm`](Kept::confirm)), and
//! records the exits that no supervisor is left to record ([`after`]). A supervisor that ends a process for
//! good shuts the mailbox down, which works whatever other ends exist.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::control::entry;
use crate::control::link::{PATIENCE, Tree};
use crate::control::request::{self, Answered, Operation};
use crate::ipc::channel;
use crate::spawn::batch::{Batch, Node};
use crate::status::{ExitRecord, Process, State};
use crate::supervisor::exit_cause;
use crate::sys::per_process::Own;
use crate::sys::{clock, fd, poll};

/// A process and all below it, as they were requested.
pub(crate) struct Kept(Batch);

/// A kept process, and the root supervisor that has it.
struct Held {
    tree: Arc<Tree>,
    kept: Arc<Kept>,
}

/// All kept processes, in the order of their starts.
static HELD: Own<Mutex<Vec<Held>>> = Own::new();

fn held() -> MutexGuard<'static, Vec<Held>> {
    HELD.here().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that the supervisor of `tree` is about to get it. Called before it is sent, so that it is restarted
/// whenever that supervisor dies.
///
/// # Errors
/// `ENOMEM` and the like.
pub(crate) fn hold(tree: &Arc<Tree>, kept: &Arc<Kept>) -> io::Result<()> {
    let mut held = held();
    if let Some(set) = tree.kept() {
        set.add_hang_up(kept.mailbox(), kept.id())?;
    }
    held.push(Held { tree: Arc::clone(tree), kept: Arc::clone(kept) });
    Ok(())
}

/// Drops the processes of `tree` that have hung up, and so have ended for good, with all that they were made
/// of.
///
/// # Errors
/// If the set is invalid because code in the program closed it. Then they stay until the tree ends.
pub(crate) fn let_go_of_the_ended(tree: &Arc<Tree>) -> io::Result<()> {
    let Some(set) = tree.kept() else { return Ok(()) };
    let mut events = poll::no_events();
    let ended = set.wait(&mut events, Some(Duration::ZERO))?;
    for id in ended {
        let is_it = |held: &mut Held| Arc::ptr_eq(&held.tree, tree) && held.kept.id() == id;
        let gone: Vec<Held> = held().extract_if(.., is_it).collect();
        gone.iter().for_each(|held| set.remove(held.kept.mailbox()));
    }
    Ok(())
}

/// Forgets a process that must not be started again. Returns whether it was still kept, which means that
/// nothing else restarts it.
pub(crate) fn release(kept: &Arc<Kept>) -> bool {
    let released: Vec<Held> = held().extract_if(.., |held| Arc::ptr_eq(&held.kept, kept)).collect();
    for Held { tree, kept } in &released {
        tree.kept().into_iter().for_each(|set| set.remove(kept.mailbox()));
    }
    !released.is_empty()
}

/// Forgets the processes of `tree`, whose root supervisor ended in order and recorded all exits.
pub(crate) fn forget(tree: &Arc<Tree>) {
    let over = taken_from(tree);
    drop(over);
}

/// Takes the processes of `tree` out. The caller drops them without the lock, with their descriptors and the
/// refs in their arguments.
fn taken_from(tree: &Arc<Tree>) -> Vec<Held> {
    held().extract_if(.., |held| Arc::ptr_eq(&held.tree, tree)).collect()
}

/// Records all exits of `tree`, whose root supervisor is dead with all below it. Returns the processes to
/// restart.
pub(crate) fn after(tree: &Arc<Tree>) -> Vec<Arc<Kept>> {
    let (returning, ended): (Vec<_>, Vec<_>) =
        taken_from(tree).into_iter().map(|held| held.kept).partition(|kept| kept.returns());
    ended.iter().for_each(|kept| kept.end());
    returning.iter().for_each(|kept| kept.await_return());
    returning
}

/// Sends it again, to the root supervisor of `tree`. If that fails, its end is recorded, unless the next root
/// supervisor is about to get it.
///
/// # Errors
/// A message that says what failed.
pub(crate) fn send_again(tree: &Arc<Tree>, kept: &Arc<Kept>) -> Result<(), String> {
    let confirmed = || match kept.confirm(tree)? {
        true => Ok(()),
        false => Err(fd::no_room()),
    };
    if let Err(error) = hold(tree, kept) {
        kept.end();
        return Err(error.to_string());
    }
    let sent = kept.send(tree.control()).and_then(|()| confirmed());
    let error = match sent {
        Ok(()) if tree.is_gone(tree.term()) => io::ErrorKind::BrokenPipe.into(),
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match release(kept) {
        true => {
            kept.end();
            Err(error.to_string())
        }
        false => Ok(()),
    }
}

impl Kept {
    pub(crate) fn new(batch: Batch) -> Kept {
        Kept(batch)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.top().endpoint.card.name
    }

    fn mailbox(&self) -> BorrowedFd<'_> {
        self.0.top().receiver.as_fd()
    }

    fn id(&self) -> u64 {
        self.0.top().spec.id
    }

    /// Sends the requests.
    ///
    /// # Errors
    /// As [`Batch::send`].
    pub(crate) fn send(&self, control: BorrowedFd<'_>) -> io::Result<()> {
        self.0.send(control)
    }

    /// Whether the supervisor has received it, now or earlier. A supervisor without room for the descriptors
    /// has not, and cannot report that.
    ///
    /// # Errors
    /// `BrokenPipe` if the supervisor is gone, and at limits.
    pub(crate) fn confirm(&self, tree: &Tree) -> io::Result<bool> {
        let asked = request::ask(tree.control(), Operation::Has(self.id()), clock::after(PATIENCE))?;
        let top = self.0.top();
        Ok(asked == Answered::Done || top.is_over() || top.endpoint.status_page.state() == State::Dead)
    }

    /// Whether it is restarted below the next root supervisor: it has been ready, and was not stopped. Both
    /// are read on its page, where a lie concerns only itself.
    fn returns(&self) -> bool {
        let top = self.0.top();
        let status_page = &top.endpoint.status_page;
        let is_called_off = status_page.is_called_off(status_page.incarnation().saturating_add(1));
        status_page.has_been_ready()
            && !top.is_over()
            && status_page.state() != State::Dead
            && status_page.stop_requested().is_none()
            && !is_called_off
    }

    /// Records that it is dead, and all below it. Those below come first, so that a process that learns of
    /// its end can rely on theirs.
    pub(crate) fn end(&self) {
        self.0.nodes().iter().rev().for_each(Node::end);
    }

    /// Records that its process is dead, and those of all below it, and that others follow.
    fn await_return(&self) {
        self.0.nodes().iter().for_each(Node::await_return);
    }
}

impl Node {
    /// Whether it has ended for good. The kernel is asked, so no page can forge it.
    fn is_over(&self) -> bool {
        fd::has_ended(self.receiver.as_fd())
    }

    fn end(&self) {
        let status_page = &self.endpoint.status_page;
        let state = status_page.state();
        // The mailbox alone tells a caller that waits for a first start that it failed.
        if status_page.has_been_ready() && state != State::Dead && !self.is_over() {
            let (process, orphaned) = self.last();
            let earlier =
                status_page.last_death().filter(|_| matches!(state, State::Restarting | State::Down));
            let exit_record = earlier.map_or(orphaned, |earlier| earlier.1);
            let unserved = status_page.depth().load(Ordering::SeqCst).min(self.spec.options.mailbox());
            status_page.record_exit(process, &ExitRecord { unserved, ..exit_record }, State::Dead);
        }
        fd::shut_down(self.receiver.as_fd());
    }

    fn await_return(&self) {
        let status_page = &self.endpoint.status_page;
        // For a process that was down, the reason is recorded already.
        if matches!(status_page.state(), State::Starting | State::Ready) {
            let (process, exit_record) = self.last();
            status_page.record_exit(process, &exit_record, State::Restarting);
        }
        channel::ring(self.receiver.as_fd(), Some(self.endpoint.mailbox()));
    }

    fn last(&self) -> (Process, ExitRecord) {
        let status_page = &self.endpoint.status_page;
        let process =
            Process { incarnation: status_page.incarnation(), pid: status_page.pid().cast_signed() };
        let entry = entry::find(self.spec.entry, &self.spec.type_name);
        (process, exit_cause::of_orphan(entry.map_or(&[], |entry| entry.methods), status_page))
    }
}
