//! What a supervisor knows of its children, and what it reads from their pages.
//!
//! A child, and every holder of a ref to it, can write anything on its page. So everything that decides about
//! a child is in the supervisor's own memory: whether it is up, how often it was started and why, how its
//! last process ended, when it was asked to stop, how long a handler may run. The page gets a copy for other
//! processes. What is read from the page, and why a lie there harms only the liar and its callers:
//!
//! - readiness: once, from `Starting` on. Too early, processes that wait for it start too soon; too late,
//!   they wait until its start limit is over.
//! - the message in progress: see `watch.rs`. A lie ends its process, or spares it from a deadline; its
//!   callers have deadlines of their own.
//! - how it describes its end (exit notice, panic message, out of memory, the requester of a stop): claims of
//!   a process that ended by itself. They decide whether *it* is started again, within its restart type, its
//!   allowance and its spec: see `exit_cause.rs`.
//! - the request for its own supervisor: it may have one, and no second one.
//! - depth, capacity, callers without replies: numbers for reports, and calls to this child that are reported
//!   lost. The page bounds the lists.
//! - everything, for the children of a dead supervisor: no other process knows. See [`Past::on_page`].

use super::Child;
use super::running::RunningProcess;
use crate::status::{End, ExitRecord, Process, State, StatusPage};
use crate::types::exit::ExitReason;

/// The last process of a child that has none now, and how it ended.
pub(super) struct Past {
    pub(super) process: Process,
    pub(super) exit_record: Option<ExitRecord>,
    /// Why no other process follows, if this exit is not the reason.
    pub(super) end: Option<End>,
    /// It is recorded that the child does not come back.
    pub(super) is_over: bool,
}

impl Past {
    /// Reads the past of a child whose supervisor is gone from its page. A lie gives it wrong numbers and its
    /// callers a wrong reason, but no supervisor acts on either.
    pub(super) fn on_page(status_page: &StatusPage) -> Past {
        let process = Process { incarnation: counted(status_page), pid: status_page.pid().cast_signed() };
        let last = status_page.last_death().filter(|(of, _)| *of == process.incarnation);
        let is_over = status_page.state() == State::Dead;
        Past { process, exit_record: last.map(|(_, exit_record)| exit_record), end: None, is_over }
    }
}

/// How many processes the child had, by its page. The next supervisor counts on from there, so the number is
/// bounded to leave room for that.
pub(super) fn counted(status_page: &StatusPage) -> u64 {
    status_page.incarnation().min(u64::MAX / 2)
}

impl Child {
    pub(super) fn past(&self) -> Past {
        let last = self.last.as_ref().filter(|(of, _)| *of == self.incarnation);
        let exit_record = last.map(|(_, exit_record)| exit_record.clone());
        Past { process: self.process(), exit_record, end: self.end, is_over: self.state == State::Dead }
    }

    /// Its current process, or else its last one.
    pub(super) fn process(&self) -> Process {
        Process { incarnation: self.incarnation, pid: self.last_pid }
    }

    /// Whether its process is ready, or has been. Once known, that stays, whatever the page says later.
    ///
    /// A process that rang may have overwritten its page before the supervisor looked. A sibling could ring
    /// in its name, but a ring counts only while the page does not say `Starting`: in the moment between the
    /// fork and the process's first steps.
    pub(super) fn is_up(&mut self) -> bool {
        let rang = self.running.as_ref().is_some_and(RunningProcess::rang);
        if self.state == State::Starting {
            let is_ready = match self.status_page().state() {
                State::Starting => false,
                State::New | State::Restarting | State::Down => rang,
                // Or an invalid state, of a process that has begun.
                State::Ready | State::Dead => true,
            };
            self.state = if is_ready { State::Ready } else { State::Starting };
        }
        self.state == State::Ready
    }

    /// Publishes how its process ended, and the next state.
    pub(super) fn publish_exit(&mut self, exit_record: &ExitRecord, next: State) {
        self.state = next;
        self.last = Some((self.incarnation, exit_record.clone()));
        self.status_page().record_exit(self.process(), exit_record, next);
    }

    pub(super) fn last_reason(&self) -> Option<&ExitReason> {
        self.last.as_ref().map(|(_, exit_record)| &exit_record.reason)
    }

    /// Readies its page for the next process, and restores what the last one must not have changed.
    pub(super) fn renew_page(&self) {
        let (status_page, spec) = (self.status_page(), self.spec());
        status_page.renew();
        status_page.sign(&spec.name, spec.kind.to_word(), spec.id, spec.entry);
        status_page.set_capacity(spec.options.mailbox());
    }

    /// Counts a restart: a process follows an earlier one.
    pub(super) fn count_restart(&mut self) {
        let (restarts, recycled) = &mut self.restarts;
        let was_recycled = self.last.as_ref().is_some_and(|(_, last)| last.reason == ExitReason::Recycled);
        let counter = if was_recycled { recycled } else { restarts };
        *counter = counter.saturating_add(1);
        self.status_page().note_restarts(self.restarts);
    }
}
