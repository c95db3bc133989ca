//! What a supervisor knows of its children, and what it takes from their pages.
//!
//! A child can write on its page what it likes, and so can every holder of a ref of it. So everything that
//! decides about a child lies in the supervisor's own memory: whether it is up, how often it has been started
//! and why, how its last process ended, when it was asked to stop, how long a handler may run. The page gets
//! a copy, for others. What is taken from it, and why a lie there harms only the liar and its callers:
//!
//! - that a process is ready: once, from `Starting` on. Too early, those start that wait for it; later, they
//!   wait until its start limit is over.
//! - the message in progress: see `watch.rs`. A lie ends its process, or spares it from a deadline; its
//!   callers have deadlines of their own.
//! - how it says that it ended (exit notice, last words, out of memory, who asked for the stop): words of a
//!   process that has ended by itself. They decide whether *it* is started again, within its restart type,
//!   its allowance and its spec: see `exit_cause.rs`.
//! - the wish for a supervisor of its own: it may have one, and no second one.
//! - depth, capacity, unanswered callers: numbers of reports, and the calls that are told to be lost are
//!   calls to it. Lists are bounded by the page.
//! - all of it, for the children of a supervisor that is gone: no other process knows. See [`Past::on_page`].

use super::Child;
use super::running::RunningProcess;
use crate::status::{End, ExitRecord, Process, State, StatusPage};
use crate::types::exit::ExitReason;

/// Of a child that has no process: which one was its last, and how that ended.
pub(super) struct Past {
    pub(super) process: Process,
    pub(super) exit_record: Option<ExitRecord>,
    /// Why it gets no other, if that is a reason of its own.
    pub(super) end: Option<End>,
    /// It has been written down that it does not come back.
    pub(super) is_over: bool,
}

impl Past {
    /// Of one whose supervisor is gone, by its page. A lie gives it wrong numbers, and its callers a wrong
    /// reason: it has no supervisor that acts on either.
    pub(super) fn on_page(status_page: &StatusPage) -> Past {
        let process = Process { incarnation: counted(status_page), pid: status_page.pid().cast_signed() };
        let last = status_page.last_death().filter(|(of, _)| *of == process.incarnation);
        let is_over = status_page.state() == State::Dead;
        Past { process, exit_record: last.map(|(_, exit_record)| exit_record), end: None, is_over }
    }
}

/// How many processes it has had, by its page: from there the next supervisor goes on counting, which must be
/// possible whatever it reads.
pub(super) fn counted(status_page: &StatusPage) -> u64 {
    status_page.incarnation().min(u64::MAX / 2)
}

impl Child {
    pub(super) fn past(&self) -> Past {
        let last = self.last.as_ref().filter(|(of, _)| *of == self.incarnation);
        let exit_record = last.map(|(_, exit_record)| exit_record.clone());
        Past { process: self.process(), exit_record, end: self.end, is_over: self.state == State::Dead }
    }

    /// Its last process, or the one that it has.
    pub(super) fn process(&self) -> Process {
        Process { incarnation: self.incarnation, pid: self.last_pid }
    }

    /// Whether its process is ready, or has been. From then on that is known, whatever the page says later.
    ///
    /// A process that has rung may have overwritten its page before the supervisor looked. A sibling could
    /// ring for it, but is believed only while the page does not say `Starting`: for the moment in which a
    /// process has been forked and has not begun yet.
    pub(super) fn is_up(&mut self) -> bool {
        let rang = self.running.as_ref().is_some_and(RunningProcess::rang);
        if self.state == State::Starting {
            let is_ready = match self.status_page().state() {
                State::Starting => false,
                State::New | State::Restarting | State::Down => rang,
                // Or rubbish, of a process that has begun.
                State::Ready | State::Dead => true,
            };
            self.state = if is_ready { State::Ready } else { State::Starting };
        }
        self.state == State::Ready
    }

    /// Publishes how its process ended, and what comes next.
    pub(super) fn publish_exit(&mut self, exit_record: &ExitRecord, next: State) {
        self.state = next;
        self.last = Some((self.incarnation, exit_record.clone()));
        self.status_page().record_exit(self.process(), exit_record, next);
    }

    pub(super) fn last_reason(&self) -> Option<&ExitReason> {
        self.last.as_ref().map(|(_, exit_record)| &exit_record.reason)
    }

    /// Readies its page for the next process, with what the last one must not have changed.
    pub(super) fn renew_page(&self) {
        let (status_page, spec) = (self.status_page(), self.spec());
        status_page.renew();
        status_page.sign(&spec.name, spec.kind as u32, spec.id, spec.entry);
        status_page.set_capacity(spec.options.mailbox());
    }

    /// There has been a process, and there will be another one.
    pub(super) fn count_restart(&mut self) {
        let (restarts, recycled) = &mut self.restarts;
        let was_recycled = self.last.as_ref().is_some_and(|(_, last)| last.reason == ExitReason::Recycled);
        let counter = if was_recycled { recycled } else { restarts };
        *counter = counter.saturating_add(1);
        self.status_page().note_restarts(self.restarts);
    }
}
