//! Reports of a supervisor's actions to the program's log.

use std::time::Duration;

use super::{Child, Supervisor};
use crate::policy::Key;
use crate::status::ExitRecord;
use crate::supervisor::events;
use crate::sys::{clock, process};
use crate::types::exit::ExitReason;
use crate::types::method::method_name;

impl Child {
    pub(super) fn say_that_it_has_started(&self, pid: i32) {
        let (spec, incarnation) = (self.spec(), self.incarnation);
        match (incarnation > 1).then(|| self.last_reason()).flatten() {
            None => events::started(spec, pid, incarnation),
            Some(reason) => {
                events::restarted(spec, pid, incarnation, self.restarts.0.into(), reason);
            }
        }
    }

    /// Logged before other processes can see it in the status page, so that the log already has the reason.
    pub(super) fn say_how_it_ended(&self, asked: bool, exit_record: &ExitRecord) {
        let as_asked = asked && exit_record.reason.signal() == Some(process::SIGTERM);
        events::ended(self.spec(), self.last_pid, self.incarnation, as_asked, exit_record);
    }

    pub(super) fn say_that_it_is_killed(&self, method: u32, after: Duration) {
        let method = method_name(self.methods, method);
        events::killed_by_the_watchdog(self.spec(), self.last_pid, self.incarnation, method, after);
    }

    pub(super) fn say_that_it_is_stopped(&self, pid: i32, signal: i32) {
        events::suspended(self.spec(), pid, self.incarnation, signal);
    }
}

impl Supervisor {
    pub(super) fn say_that_it_waits(&self, key: Key, until: u64) {
        let Some(child) = self.children.get(&key) else { return };
        events::waiting(child.spec(), child.last_pid, child.incarnation, clock::until(until));
    }

    pub(super) fn say_that_it_is_given_up(&self, key: Key) {
        let Some(child) = self.children.get(&key) else { return };
        let reason = child.last_reason().unwrap_or(&ExitReason::IntensityReached);
        events::gave_up(child.spec(), child.last_pid, child.incarnation, reason);
    }

    pub(super) fn say_that_it_escalates(&self, key: Key) {
        let Some(child) = self.children.get(&key) else { return };
        let reason = child.last_reason().unwrap_or(&ExitReason::IntensityReached);
        events::escalated(child.spec(), child.last_pid, child.incarnation, reason);
    }
}
