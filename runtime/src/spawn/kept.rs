//! What the program keeps of the processes that it starts again when its root supervisor has died.
//!
//! Supervisors hold what a restart takes; when the root supervisor dies, all of them do. So of each process that it spawns with a restart type other than
//! `Temporary`, and of all below it, the program keeps what it has sent: spec, arguments, the mailbox's receiving end, the channels of its callers. It is
//! sent once more to the next root supervisor, and what was queued is served then.
//!
//! While the program has a receiving end too, a mailbox does not hang up when the supervisors are gone, or have lost a request. So the program asks whether a
//! request has arrived ([`confirm`]), and writes down the deaths that nobody else is left to write down ([`after`]). A supervisor that ends a
//! process for good shuts the mailbox down, which does not depend on who has ends of it.

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

/// A process and all below it, as they were asked for.
pub(crate) struct Kept(Batch);

/// Which root supervisor has them.
struct Held {
    tree: Arc<Tree>,
    kept: Arc<Kept>,
}

/// In the order of their starts.
static HELD: Own<Mutex<Vec<Held>>> = Own::new();

fn held() -> MutexGuard<'static, Vec<Held>> {
    HELD.here().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that the supervisor of `tree` is about to get it. Before it is sent: it has one who sees to it, whenever that supervisor dies.
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

/// Some of those that `tree` has have hung up, so they have ended for good: what they were made of goes now, and not with their siblings.
///
/// # Errors
/// If the set is none any more, because code in the program has closed it: then they stay until the tree ends.
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

/// It is not to be started again. Whether it was still held, and nobody else sees to it.
pub(crate) fn release(kept: &Arc<Kept>) -> bool {
    let released: Vec<Held> = held().extract_if(.., |held| Arc::ptr_eq(&held.kept, kept)).collect();
    for Held { tree, kept } in &released {
        tree.kept().into_iter().for_each(|set| set.remove(kept.mailbox()));
    }
    !released.is_empty()
}

/// The root supervisor of `tree` has ended in order, and has written down all ends.
pub(crate) fn forget(tree: &Arc<Tree>) {
    let over = taken_from(tree);
    drop(over);
}

/// With their descriptors, and the refs in what they were made of: dropped without the lock.
fn taken_from(tree: &Arc<Tree>) -> Vec<Held> {
    held().extract_if(.., |held| Arc::ptr_eq(&held.tree, tree)).collect()
}

/// The root supervisor of `tree` is dead, and all below it: those that are to be started again. The ends of all that it had are written down.
pub(crate) fn after(tree: &Arc<Tree>) -> Vec<Arc<Kept>> {
    let (returning, ended): (Vec<_>, Vec<_>) =
        taken_from(tree).into_iter().map(|held| held.kept).partition(|kept| kept.returns());
    ended.iter().for_each(|kept| kept.end());
    returning.iter().for_each(|kept| kept.await_return());
    returning
}

/// Sends it to the root supervisor of `tree`, once more. If that fails, its end is written down, unless the next root supervisor is about to get it.
///
/// # Errors
/// In words.
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

    /// Asks for it.
    ///
    /// # Errors
    /// As [`Batch::send`].
    pub(crate) fn send(&self, control: BorrowedFd<'_>) -> io::Result<()> {
        self.0.send(control)
    }

    /// Whether the supervisor has got what was sent, or has had it: one without room for the descriptors has not, and cannot say so.
    ///
    /// # Errors
    /// `BrokenPipe` if the supervisor is gone, and at limits.
    pub(crate) fn confirm(&self, tree: &Tree) -> io::Result<bool> {
        let asked = request::ask(tree.control(), Operation::Has(self.id()), clock::after(PATIENCE))?;
        let top = self.0.top();
        Ok(asked == Answered::Done || top.is_over() || top.endpoint.status_page.state() == State::Dead)
    }

    /// Whether it follows the root supervisor to the next one: it has been up, and nobody has ended it. Both are read on its page, where a lie is about it alone.
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

    /// Writes down that it is dead, and all below it: these first, so that who hears of its end can rely on theirs.
    pub(crate) fn end(&self) {
        self.0.nodes().iter().rev().for_each(Node::end);
    }

    /// Writes down that its process is dead, and those of all below it, and that others follow.
    fn await_return(&self) {
        self.0.nodes().iter().for_each(Node::await_return);
    }
}

impl Node {
    /// Whether it has ended for good: by the kernel's word, which no page can forge.
    fn is_over(&self) -> bool {
        fd::has_ended(self.receiver.as_fd())
    }

    fn end(&self) {
        let status_page = &self.endpoint.status_page;
        let state = status_page.state();
        // A caller that waits for a first start is told by the mailbox alone that it comes to nothing.
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
        // Of those that were down it is known why.
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
