//! The actors' own supervisors: their processes, and how long those whose actor is gone may live.
//!
//! [`Nested`] holds one entry for each such process, from its fork until it is reaped. No actor has two at a
//! time, and none is killed by the clock while its actor is alive.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use super::running::RunningProcess;
use super::start::take_up_work;
use super::{Config, Supervisor};
use crate::control::request;
use crate::ipc::uplink;
use crate::policy::Key;
use crate::sys::process::{self, Fork};
use crate::sys::{fd, poll, proctitle, signal};

#[derive(Debug, Default)]
pub(super) struct Nested {
    by_pid: BTreeMap<i32, NestedSupervisor>,
}

#[derive(Debug)]
struct NestedSupervisor {
    /// The pid of its actor, which is reaped before another process can have it.
    owner: i32,
    /// Set when its actor is gone: when it is killed.
    kill_at: Option<u64>,
}

impl Nested {
    pub(super) fn add(&mut self, pid: i32, owner: i32) {
        self.by_pid.insert(pid, NestedSupervisor { owner, kill_at: None });
    }

    /// Removes a supervisor that ended. Returns the pid of its actor.
    pub(super) fn remove(&mut self, pid: i32) -> Option<i32> {
        self.by_pid.remove(&pid).map(|nested| nested.owner)
    }

    pub(super) fn contains(&self, pid: i32) -> bool {
        self.by_pid.contains_key(&pid)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_pid.is_empty()
    }

    /// Whether the actor with this pid has its own supervisor.
    pub(super) fn is_owner(&self, owner: i32) -> bool {
        self.by_pid.values().any(|nested| nested.owner == owner)
    }

    /// Notes that the actor with this pid is gone. Its supervisor notices by itself; if it does not, it is
    /// killed.
    pub(super) fn owner_ended(&mut self, owner: i32, kill_at: u64) {
        let bereft = self.by_pid.values_mut().filter(|nested| nested.owner == owner);
        bereft.for_each(|nested| nested.kill_at = Some(kill_at));
    }

    /// The supervisors to kill now; each is returned once.
    pub(super) fn take_overdue(&mut self, now: u64) -> Vec<i32> {
        let overdue = self.by_pid.iter_mut().filter(|(_, nested)| nested.kill_at.is_some_and(|at| at <= now));
        overdue
            .map(|(&pid, nested)| {
                nested.kill_at = None;
                pid
            })
            .collect()
    }

    pub(super) fn due(&self) -> Option<u64> {
        self.by_pid.values().filter_map(|nested| nested.kill_at).min()
    }
}

impl Supervisor {
    /// Forks a supervisor for an actor that requests one and has none.
    pub(super) fn start_own_supervisor_if_requested(&mut self, key: Key) {
        let Some(child) = self.children.get(&key) else { return };
        if child.running.is_some() && child.status_page().take_supervisor_wish() {
            self.start_own_supervisor(key);
        }
    }

    fn start_own_supervisor(&mut self, key: Key) {
        let Some((child, running)) =
            self.children.get(&key).and_then(|child| Some((child, child.running.as_ref()?)))
        else {
            return;
        };
        let owner = running.pid();
        let Some(control) = running.control() else { return };
        if self.nested.is_owner(owner) {
            return;
        }
        let (parent, name, term) = (process::pid(), child.spec().name.clone(), child.supervisors_ended);
        let forked = control.try_clone().and_then(|control| Ok((control, process::fork()?)));
        match forked {
            Err(error) => {
                child.status_page().note_supervisor_error(error.raw_os_error().unwrap_or_default());
                // Later requests have to ring again: an actor that never stops requesting holds up no other
                // child.
                request::discard(control.as_fd(), &mut self.buffer);
                self.count_end_of_nested(key);
            }
            Ok((_, Fork::Parent(pid))) => {
                process::group_of(pid);
                child.status_page().note_supervisor_error(0);
                child.status_page().has_supervisor(pid);
                self.nested.add(pid, owner);
            }
            Ok((control, Fork::Child)) => self.become_nested(control, &name, owner, parent, term),
        }
    }

    fn become_nested(&self, control: OwnedFd, name: &str, owner: i32, parent: i32, term: u32) -> ! {
        process::own_group();
        if !process::die_with(parent, process::SIGKILL) {
            process::exit_now(0);
        }
        // The owner's handle is opened before another process can have its pid: the parent reaps the owner,
        // and this process ends with the parent.
        let handle = process::pidfd(owner).ok();
        let own = handle.iter().map(AsRawFd::as_raw_fd).chain([control.as_raw_fd()]);
        let keep: Vec<i32> = own.chain(uplink::descriptors()).collect();
        fd::close_all_except(&keep);
        signal::forget();
        proctitle::set(&format!("phx-sup: {name}"));
        // The actor sees that its supervisor has ended.
        let Ok(equipment) = take_up_work() else { process::exit_now(1) };
        let masters = handle.into_iter().collect();
        Supervisor::new(Config { control, term, masters, descriptors: self.descriptors }, equipment).run()
    }

    /// Notes that an actor's own supervisor ended. If it left requests unread, another one is started for
    /// them.
    pub(super) fn note_end_of_nested(&mut self, owner: i32) {
        let Some(key) = self.processes.owner(owner) else { return };
        self.count_end_of_nested(key);
        let running = self.children.get(&key).and_then(|child| child.running.as_ref());
        let Some(control) = running.and_then(RunningProcess::control) else { return };
        let control = control.as_fd();
        if !fd::hung_up(control) && poll::readable(control, Some(Duration::ZERO)).is_ok_and(|waiting| waiting)
        {
            self.start_own_supervisor(key);
        }
    }

    /// Tells the actor, which may wait for that, that its supervisor has ended or could not be forked.
    fn count_end_of_nested(&mut self, key: Key) {
        let Some(child) = self.children.get_mut(&key) else { return };
        if child.running.is_some() {
            child.supervisors_ended = child.supervisors_ended.wrapping_add(1);
            child.status_page().supervisor_ended(child.supervisors_ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_whose_actor_lives_is_never_due() {
        let mut nested = Nested::default();
        nested.add(10, 1);
        assert!(nested.contains(10) && nested.is_owner(1) && !nested.is_owner(10));
        assert_eq!((nested.due(), nested.take_overdue(u64::MAX)), (None, vec![]));
    }

    #[test]
    fn a_supervisor_whose_actor_is_gone_is_killed_once() {
        let mut nested = Nested::default();
        nested.add(10, 1);
        nested.add(20, 2);
        nested.owner_ended(2, 50);
        assert_eq!(nested.due(), Some(50));
        assert_eq!(nested.take_overdue(49), []);
        assert_eq!(nested.take_overdue(50), [20]);
        assert_eq!(nested.take_overdue(51), []);
        assert!(nested.contains(20), "until it is reaped");
        assert_eq!(nested.remove(20), Some(2));
        assert_eq!(nested.remove(20), None);
        assert!(!nested.is_empty() && !nested.is_owner(2));
    }
}
