//! Starting children: actors, tasks, and the supervisors of actors.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use super::{Child, Nested, Supervisor};
use crate::actor::Method;
use crate::exit::ExitReason;
use crate::mailbox::ledger::{Epitaph, Refusal};
use crate::process::child::{self, Birth};
use crate::process::entry::{self, Entry};
use crate::process::lines;
use crate::process::request::{self, Spawn};
use crate::sys::process::Fork;
use crate::sys::{fd, poll, process, signal, time, title};

impl Supervisor {
    /// Starts a child, or writes down why not.
    pub(super) fn start(&mut self, spawn: Spawn) {
        let prepared = self.entry_of(&spawn).and_then(|entry| Ok((entry, self.lines().map_err(refused)?)));
        let (entry, lines) = match prepared {
            Ok(prepared) => prepared,
            Err(refusal) => return refuse(&spawn, refusal),
        };
        let supervisor = process::pid();
        match process::fork() {
            Err(error) => refuse(&spawn, refused(error)),
            // Nothing of the supervisor is touched or dropped from here on: `enter` does not return.
            Ok(Fork::Child) => child::enter(Birth {
                spawn,
                entry,
                control: lines.sender,
                doorbell: lines.doorbell,
                supervisor,
                descriptors: self.descriptors,
            }),
            Ok(Fork::Parent(pid)) => self.adopt(pid, spawn, entry.methods, lines.receiver),
        }
    }

    fn entry_of(&self, spawn: &Spawn) -> Result<&'static Entry, Refusal> {
        if self.ending.is_some() {
            return Err(Refusal::ShuttingDown);
        }
        let found = entry::find(spawn.spec.entry, &spawn.spec.type_name);
        found.filter(|_| spawn.spec.build == self.build).ok_or(Refusal::Mismatch)
    }

    /// What a child needs to ask for a supervisor of its own one day.
    fn lines(&self) -> io::Result<Lines> {
        let (receiver, sender) = fd::seqpacket_pair()?;
        Ok(Lines { receiver, sender, doorbell: self.doorbell.as_fd().try_clone_to_owned()? })
    }

    fn adopt(&mut self, pid: i32, spawn: Spawn, methods: &'static [Method], control: OwnedFd) {
        process::group_of(pid);
        let ledger = spawn.ledger;
        // Other children are forked from this process too, and have no business with this page.
        ledger.keep_from_children();
        ledger.started(pid, 1);
        let now = time::now();
        self.started += 1;
        let mut child = Child {
            pid,
            methods,
            ledger,
            receiver: spawn.receiver,
            control,
            supervisors_ended: 0,
            order: self.started,
            start_until: Some(now.saturating_add(time::nanos(spawn.spec.start))),
            check_at: None,
            kill_at: None,
            asked: None,
            verdict: None,
            spec: spawn.spec,
        };
        child.check_at = child.shortest_limit().map(|limit| now.saturating_add(limit));
        self.children.insert(pid, child);
    }

    /// Forks a supervisor for each actor that wants one and has none.
    pub(super) fn grant_supervisors(&mut self) {
        let wishes: Vec<i32> = self
            .children
            .values()
            .filter(|child| child.ledger.take_supervisor_wish())
            .map(|child| child.pid)
            .collect();
        for pid in wishes {
            self.grant_supervisor(pid);
        }
    }

    fn grant_supervisor(&mut self, owner: i32) {
        if self.nested.values().any(|nested| nested.owner == owner) {
            return;
        }
        let Some(child) = self.children.get(&owner) else { return };
        let (parent, name, term) = (process::pid(), child.spec.name.clone(), child.supervisors_ended);
        let forked = child.control.try_clone().and_then(|control| Ok((control, process::fork()?)));
        match forked {
            Err(_) => {
                // What is asked after this has to ring again: an actor that never stops asking holds nobody up.
                request::discard(child.control.as_fd(), &mut self.buffer);
                self.count_end_of_nested(owner);
            }
            Ok((_, Fork::Parent(pid))) => {
                process::group_of(pid);
                self.nested.insert(pid, Nested::of(owner));
            }
            Ok((control, Fork::Child)) => {
                process::own_group();
                if !process::die_with(parent, process::SIGKILL) {
                    process::exit_now(0);
                }
                // The owner's handle is opened before its pid can be anybody else's: the parent reaps it, and the
                // parent's death is ours.
                let handle = process::pidfd(owner).ok();
                let own = handle.iter().map(AsRawFd::as_raw_fd).chain([control.as_raw_fd()]);
                let keep: Vec<i32> = own.chain(lines::descriptors()).collect();
                fd::close_all_except(&keep);
                signal::forget();
                process::become_subreaper();
                process::confirm_single_thread();
                title::set(&format!("phx-sup: {name}"));
                match Supervisor::new(control, term, handle, self.descriptors) {
                    Ok(mut nested) => nested.run(),
                    Err(_) => process::exit_now(1),
                }
            }
        }
    }
}

impl Supervisor {
    /// The supervisor of this actor has ended. Requests that it has not read are for another one.
    pub(super) fn note_end_of_nested(&mut self, owner: i32) {
        self.count_end_of_nested(owner);
        let Some(child) = self.children.get(&owner) else { return };
        let control = child.control.as_fd();
        if !fd::hung_up(control) && poll::readable(control, Some(Duration::ZERO)).is_ok_and(|waiting| waiting)
        {
            self.grant_supervisor(owner);
        }
    }

    /// Tells the actor, which may wait for it, that its supervisor has ended, or could not be forked.
    fn count_end_of_nested(&mut self, owner: i32) {
        let Some(child) = self.children.get_mut(&owner) else { return };
        child.supervisors_ended += 1;
        child.ledger.supervisor_ended(child.supervisors_ended);
    }
}

/// The ends of a child's control channel, and the doorbell.
struct Lines {
    receiver: OwnedFd,
    sender: OwnedFd,
    doorbell: OwnedFd,
}

fn refused(error: io::Error) -> Refusal {
    Refusal::Fork(error.to_string())
}

fn refuse(spawn: &Spawn, refusal: Refusal) {
    let reason = ExitReason::Exited(1);
    let (refusal, in_progress) = (Some(refusal), None);
    spawn.ledger.bury(&Epitaph { reason, code: 1, unready: true, refusal, in_progress, unserved: 0 });
    fd::shut_down(spawn.receiver.as_fd());
}

impl Child {
    /// The limit on a handler of this method, in nanoseconds.
    pub(super) fn limit(&self, method: u32) -> Option<u64> {
        let own = self.methods.get(method as usize).and_then(|method: &Method| method.deadline);
        own.or(self.spec.deadline).map(time::nanos)
    }

    /// The shortest limit on any of its handlers.
    pub(super) fn shortest_limit(&self) -> Option<u64> {
        (0..self.methods.len() as u32)
            .filter_map(|method| self.limit(method))
            .chain(self.spec.deadline.map(time::nanos))
            .min()
    }
}
