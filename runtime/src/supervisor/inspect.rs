//! Inspecting children that rang or are due: whether they are ready, what they request, and whether a holder
//! of a ref cancelled their start.

use super::Supervisor;
use super::running::RunningProcess;
use crate::control::notification::Signal;
use crate::policy::{Event, Key};
use crate::status::{End, StopMode};
use crate::sys::clock;
use crate::types::exit::StoppedBy;

/// With how many children at most all status pages may stay mapped.
const FEW: usize = 64;

impl Supervisor {
    /// A child set one of its bits, or has none and rang the doorbell; then every child without bits is
    /// checked.
    pub(super) fn on_doorbell(&mut self) {
        let rang_without_slot = self.readiness.clear_doorbell();
        self.drain_notifications();
        if rang_without_slot {
            let without = self.children.iter().filter(|(_, child)| child.slot.is_none());
            let without: Vec<Key> = without.map(|(&key, _)| key).collect();
            for key in without {
                self.check_starting(key);
                self.inspect_child(key);
            }
        }
    }

    /// Takes all bits that are set, and inspects the children that set them.
    pub(super) fn drain_notifications(&mut self) {
        for key in self.note_who_rang() {
            self.check_starting(key);
        }
        for key in self.readiness.take(Signal::Look) {
            self.inspect_child(key);
        }
    }

    /// Returns the children that signalled that they are ready.
    pub(super) fn note_who_rang(&mut self) -> Vec<Key> {
        let ready = self.readiness.take(Signal::Ready);
        for key in &ready {
            if let Some(running) = self.children.get_mut(key).and_then(|child| child.running.as_mut()) {
                running.note_ring();
            }
        }
        ready
    }

    /// Checks all starting children. A caller may have read in a status page what no notification has
    /// reported yet.
    pub(super) fn check_all_starting(&mut self) {
        for key in self.readiness.starting() {
            self.check_starting(key);
        }
    }

    /// Tells the policy that a child is up, the first time it is seen to be ready.
    fn check_starting(&mut self, key: Key) {
        let Some(child) = self.children.get_mut(&key) else { return };
        if self.readiness.is_starting(key) && child.is_up() {
            self.readiness.end(key);
            if child.running.as_mut().is_some_and(RunningProcess::finish_start) {
                // Callers that learned of its end look again.
                child.ring();
            }
            if child.spec().options.spare {
                self.standby.want(key);
            }
            if self.children.len() <= FEW
                && let Some(child) = self.children.get(&key).filter(|child| child.spec().is_durable())
            {
                child.status_page().prefault();
            }
            self.unmap_if_idle(key);
            self.tell_policy(Event::Up(key));
            if let Some(event) = self.check_called_off(key) {
                self.tell_policy(event);
            }
        }
    }

    /// Checks whether a holder of a ref cancelled a start that is coming, under way, or just completed. What
    /// the page says concerns this child alone.
    pub(super) fn check_called_off(&mut self, key: Key) -> Option<Event> {
        let child = self.children.get_mut(&key).filter(|_| !self.policy.is_ending())?;
        if child.incarnation == 0 {
            // A first start cannot be cancelled. Its page is not read, because that would map it.
            return None;
        }
        let status_page = &child.spawn.status_page;
        if child.running.is_some() {
            if child.incarnation == 1 || !status_page.is_called_off(child.incarnation) {
                return None;
            }
            status_page.request_stop(child.incarnation, StopMode::Stop, StoppedBy::Ref);
        } else {
            // This includes a child that could not be started.
            if !status_page.is_called_off(child.incarnation + 1)
                && !status_page.is_called_off(child.incarnation)
            {
                return None;
            }
            child.end = Some(End::CalledOff(StoppedBy::Ref));
        }
        child.status_page().call_on();
        // No caller waits for the reply to this number.
        Some(Event::Terminate(self.next_number(), key))
    }

    /// Checks the children that wait for their restart: they have no process that could be told to end.
    pub(super) fn poll_waiting_restarts(&mut self, now: u64) {
        let policy = &self.policy;
        if !self.timers.is_restart_look(|| policy.waiting().next().is_some(), now) {
            return;
        }
        let has_been = |key: &Key| self.children.get(key).is_some_and(|child| child.incarnation > 0);
        let waiting: Vec<Key> = self.policy.waiting().filter(has_been).collect();
        for key in waiting {
            if let Some(event) = self.check_called_off(key) {
                self.tell_policy(event);
            }
            self.unmap_if_idle(key);
        }
        let is_any = self.policy.waiting().next().is_some();
        self.timers.end_restart_look(is_any, now);
    }

    /// Checks whether the child has begun a message with a deadline, has begun to stop by itself, or asked
    /// for its own supervisor.
    fn inspect_child(&mut self, key: Key) {
        let Some(child) = self.children.get_mut(&key) else { return };
        let now = clock::now();
        child.look_for_limit(now);
        child.limit_own_stop(now);
        self.timers.watch(key);
        self.start_own_supervisor_if_requested(key);
        self.unmap_if_idle(key);
    }

    /// Each mapped page makes a fork slower, so with many children the pages of idle ones are unmapped.
    pub(super) fn unmap_if_idle(&mut self, key: Key) {
        if self.children.len() > FEW
            && let Some(child) = self.children.get_mut(&key)
            && child.running.as_ref().is_none_or(|running| running.due().is_none())
        {
            child.spawn.status_page.unmap();
        }
    }

    /// Checks the starting children that do not ring when they are ready.
    pub(super) fn poll_lazy_starts(&mut self, now: u64) {
        if self.readiness.is_due(now) {
            self.drain_notifications();
            self.readiness.end_look(now);
        }
    }
}
