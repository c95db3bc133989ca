//! Carries out what the policy decides.

use std::collections::VecDeque;
use std::os::fd::AsFd;

use super::knowledge::Past;
use super::{Child, Declared, Supervisor};
use crate::control::entry;
use crate::control::notification::Signal;
use crate::control::request::Spawn;
use crate::ipc::{capacity, channel};
use crate::policy::{Action, End, Event, Exit, Key};
use crate::status::{End as Cause, ExitNotice, ExitRecord, State, StopMode};
use crate::supervisor::{events, exit_cause};
use crate::sys::{clock, fd, poll, process, seqpacket};
use crate::types::exit::StoppedBy;

/// How often a bell is rung before the unread rings are taken out.
const UNREAD: u32 = 16;

impl Supervisor {
    /// Passes an event to the policy, and carries out its actions.
    pub(super) fn tell_policy(&mut self, event: Event) {
        let actions = self.policy.handle(event, clock::now());
        self.act(actions);
    }

    pub(super) fn act(&mut self, actions: Vec<Action>) {
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            let event = match action {
                Action::Start(key) => self.start(key),
                Action::Stop(key) => self.stop(key),
                Action::Down(key) => self.mark_down(key),
                Action::Forget(key) => self.forget(key),
                Action::Answer(ticket, answer) => {
                    self.reply_to_request(ticket, answer);
                    None
                }
                Action::Booted => self.announce_boot(),
                Action::End(end) => self.end(end),
                Action::Waiting(key, until) => {
                    self.say_that_it_waits(key, until);
                    None
                }
                Action::GiveUp(key) => {
                    self.say_that_it_is_given_up(key);
                    if let Some(child) = self.children.get_mut(&key) {
                        child.end = Some(Cause::GaveUp);
                    }
                    None
                }
            };
            if let Some(event) = event {
                queue.extend(self.policy.handle(event, clock::now()));
            }
        }
    }

    /// Starts a process. If something of the last one is left, the start waits until that is gone.
    fn start(&mut self, key: Key) -> Option<Event> {
        if !self.is_clear(key) {
            self.blocked_starts.insert(key);
            return None;
        }
        self.launch(key)
    }

    /// Starts the blocked children whose last process has left nothing behind any more.
    pub(super) fn start_unblocked(&mut self) {
        let clear: Vec<Key> = self.blocked_starts.iter().copied().filter(|&key| self.is_clear(key)).collect();
        for key in clear {
            self.blocked_starts.remove(&key);
            if let Some(event) = self.launch(key) {
                self.tell_policy(event);
            }
        }
    }

    fn stop(&mut self, key: Key) -> Option<Event> {
        let mode = self.ending.mode().unwrap_or(StopMode::Stop);
        let child = self.children.get_mut(&key)?;
        if child.running.is_none() {
            // Its start was blocked, and is cancelled.
            self.blocked_starts.remove(&key);
            return Some(Event::Exited(key, Exit::NoRestart));
        }
        child.ask_to_stop(mode, StoppedBy::Supervisor);
        self.timers.watch(key);
        None
    }

    /// The child has no process and gets none by itself: callers that wait for it are told, and its queued
    /// messages are dropped.
    fn mark_down(&mut self, key: Key) -> Option<Event> {
        let ending = self.is_ending() || self.policy.is_ending();
        let child = self.children.get_mut(&key)?;
        if ending && child.initial {
            // The supervisor above decides whether this one comes back with its children.
            return None;
        }
        if child.incarnation == 0 && child.last.is_none() {
            // It came with its supervisor, and does not start with it.
            child.end = Some(Cause::CalledOff(StoppedBy::Supervisor));
        }
        child.spare = None;
        child.state = State::Down;
        // A ref that cancelled the restart has what it asked for.
        child.status_page().call_on();
        mark_down(&child.spawn, &child.past());
        None
    }

    /// Removes a child whose spec was deleted.
    fn forget(&mut self, key: Key) -> Option<Event> {
        if self.children.get(&key)?.initial {
            self.mark_down(key);
        }
        let child = self.remove(key)?;
        if !child.initial {
            mark_dead(&child.spawn, &child.past());
        }
        None
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Child>> {
        let child = self.children.remove(&key)?;
        if let Some(slot) = child.slot {
            self.readiness.free(slot);
        }
        Some(child)
    }

    fn announce_boot(&mut self) -> Option<Event> {
        if let Some(Declared { page, slot }) = &self.declared {
            page.ready();
            // Signalled before the mailbox is rung: a process that hears the mailbox may ask the supervisor
            // above, which must know by then.
            slot.say(Signal::Ready);
            // Rung from the receiving side of the mailbox.
            let _ = seqpacket::send_raw(self.control.as_fd(), b"r", &[]);
        }
        None
    }

    /// Ends this declared supervisor, once all children have been stopped.
    fn end(&mut self, end: End) -> Option<Event> {
        self.declared.as_ref()?;
        if let End::Intensity(key) = end {
            self.say_that_it_escalates(key);
            self.note_who_escalates(key);
        }
        let Declared { page, .. } = self.declared.as_ref()?;
        let exit_notice = match end {
            End::Shutdown => ExitNotice::Stopped,
            End::Auto => ExitNotice::Returned,
            End::Intensity(_) => ExitNotice::Intensity,
            End::BootFailed(key) => {
                page.last_words(&self.cause(key), "", None);
                ExitNotice::InitFailed
            }
        };
        page.note_exit(exit_notice);
        self.leave(i32::from(!matches!(end, End::Shutdown | End::Auto)))
    }

    /// Records that the child exhausted its restarts, in case it does not come back: the supervisor above
    /// decides that.
    fn note_who_escalates(&mut self, key: Key) {
        let Some(child) = self.children.get_mut(&key) else { return };
        if let Some(exit_record) = child.past().exit_record {
            child.publish_exit(&ExitRecord { end: Some(Cause::GaveUp), ..exit_record }, child.state);
        }
    }

    /// Which child did not start, and why, down to the one that is the cause.
    fn cause(&self, key: Key) -> String {
        let Some(child) = self.children.get(&key) else { return "a child".to_owned() };
        let reason = child.last_reason().map(ToString::to_string);
        format!("`{}`: {}", child.spec().id(), reason.unwrap_or_default())
    }

    /// Closes the mailboxes of the children. Those that came with this supervisor stay open: the supervisor
    /// above decides whether they come back.
    pub(super) fn end_children_for_good(&mut self) {
        for child in self.children.values_mut().filter(|child| !child.initial) {
            child.end_for_good();
        }
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.has_begun()
    }
}

impl Child {
    /// Marks it, and all below it, as ended for good.
    pub(super) fn end_for_good(&mut self) {
        mark_dead(&self.spawn, &self.past());
        self.state = State::Dead;
    }

    /// Rings: there is something new in the status page.
    pub(super) fn ring(&self) {
        ring(&self.spawn);
    }
}

/// Rings the bell in a mailbox. Every process with a sending end sees it; only the supervisor takes it out,
/// when there is something newer to see.
pub(super) fn ring(spawn: &Spawn) {
    let sender = spawn.sender.as_ref().map(AsFd::as_fd);
    // Taking them out now and then is enough; each process adds one, too.
    spawn.rung.set((spawn.rung.get() + 1) % UNREAD);
    if spawn.rung.get() == 0 {
        sender.map(|sender| poll::drain_bell(sender, 4 * UNREAD as usize));
    }
    channel::ring(spawn.receiver.as_fd(), sender);
}

/// Marks a child, and all below it, as down. Those below come first: a process that learns of its end can
/// rely on theirs.
pub(super) fn mark_down(spawn: &Spawn, past: &Past) {
    mark_down_below(spawn);
    rewrite_exit_record(spawn, past, State::Down);
    spawn.status_page.count_purge();
    // A supervisor's mailbox holds requests: their callers see that no reply will come.
    let dropped = (0..channel::MOST).take_while(|_| seqpacket::skip(spawn.receiver.as_fd())).count();
    if spawn.spec.policy.is_none() {
        (0..dropped).for_each(|_| capacity::release(&spawn.status_page));
    }
    ring(spawn);
}

/// Marks the children of a supervisor as down, whose process is gone.
pub(super) fn mark_down_below(spawn: &Spawn) {
    spawn.children.iter().for_each(|child| mark_down(child, &Past::on_page(&child.status_page)));
}

/// Marks a child, and all below it, as dead.
fn mark_dead(spawn: &Spawn, past: &Past) {
    mark_dead_below(spawn);
    if !past.is_over {
        rewrite_exit_record(spawn, past, State::Dead);
    }
    fd::shut_down(spawn.receiver.as_fd());
}

/// Marks the children of a supervisor as dead, whose process is gone.
pub(super) fn mark_dead_below(spawn: &Spawn) {
    spawn.children.iter().for_each(|child| mark_dead(child, &Past::on_page(&child.status_page)));
}

/// Completes an exit record: the queued messages are lost with the process.
fn rewrite_exit_record(spawn: &Spawn, past: &Past, state: State) {
    let (status_page, process) = (&spawn.status_page, past.process);
    let exit_record = past.exit_record.clone().unwrap_or_else(ExitRecord::orphaned);
    let unserved = status_page.depth().load(std::sync::atomic::Ordering::SeqCst).min(status_page.capacity());
    events::dead_letters(&spawn.spec, process.pid.cast_unsigned(), process.incarnation, unserved);
    let end = past.end.or(exit_record.end);
    status_page.record_exit(process, &ExitRecord { unserved, end, ..exit_record }, state);
}

/// Marks the children of a dead supervisor as restarting: they come back with it. Records the exits that it
/// could not record.
pub(super) fn await_return(spawn: &Spawn) {
    for child in &spawn.children {
        // For children that were down, the reason is recorded already.
        if matches!(child.status_page.state(), State::Starting | State::Ready) {
            let entry = entry::find(child.spec.entry, &child.spec.type_name);
            let exit_record =
                exit_cause::of_orphan(entry.map_or(&[], |entry| entry.methods), &child.status_page);
            let process = Past::on_page(&child.status_page).process;
            child.status_page.record_exit(process, &exit_record, State::Restarting);
        }
        ring(child);
        await_return(child);
    }
}

/// Kills a process and its group.
pub(super) fn kill_group(pid: i32) {
    process::kill(-pid, process::SIGKILL);
    process::kill(pid, process::SIGKILL);
}
