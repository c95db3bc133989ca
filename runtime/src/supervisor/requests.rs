//! Requests to a supervisor: to add, end, restart, delete or list children.

use std::os::fd::OwnedFd;

use super::pending::Pending;
use super::{Child, Supervisor};
use crate::control::request::{self, Answered, ChildFacts, Operation, Spawn};
use crate::policy::{Answer, Event, Key, Status, Ticket, check_child};
use crate::status::End;
use crate::supervisor::start::refuse;
use crate::types::exit::{ExitReason, StoppedBy};
use crate::types::spawn_error_kind::SpawnErrorKind;

impl Supervisor {
    /// Adds a child, and starts it.
    pub(super) fn add(&mut self, mut spawn: Spawn) {
        let prepared = spawn.prepare_for_successors().map_err(SpawnErrorKind::from);
        if let Some(refusal) = prepared.err().or_else(|| self.objection(&spawn)) {
            return refuse(&spawn, refusal);
        }
        let (key, rules) = (self.next_number(), spawn.spec.rules());
        let child = Child::new(spawn, false);
        let has_been = child.incarnation > 0;
        self.children.insert(key, Box::new(child));
        if has_been {
            // It is a restart, not an addition that a caller waits for.
            return self.tell_policy(Event::Resume(key, rules));
        }
        let ticket = self.next_number();
        let actions = self.policy.handle(Event::Add(ticket, key, rules), crate::sys::clock::now());
        let refused = actions.iter().find_map(|action| match action {
            crate::policy::Action::Answer(of, Answer::MaxChildren) if *of == ticket => {
                Some(SpawnErrorKind::MaxChildren)
            }
            crate::policy::Action::Answer(of, Answer::ShuttingDown) if *of == ticket => {
                Some(SpawnErrorKind::ShuttingDown)
            }
            _ => None,
        });
        if let Some(refusal) = refused
            && let Some(child) = self.remove(key)
        {
            refuse(&child.spawn, refusal);
        }
        self.act(actions);
    }

    fn objection(&self, spawn: &Spawn) -> Option<SpawnErrorKind> {
        if self.is_ending() {
            return Some(SpawnErrorKind::ShuttingDown);
        }
        let id = spawn.spec.child_id.as_deref()?;
        // The requesting process does not know the rules of this supervisor.
        if let Err(error) = check_child(self.policy.rules(), id, &spawn.spec.rules()) {
            return Some(SpawnErrorKind::Specs(error));
        }
        let key = self.key_of(id)?;
        Some(match self.policy.presence(key) {
            Some(Answer::AlreadyStarted) => SpawnErrorKind::AlreadyStarted(self.pid_of(key)),
            _ => SpawnErrorKind::AlreadyPresent,
        })
    }

    fn key_of(&self, id: &str) -> Option<Key> {
        let named = |child: &Child| child.spec().child_id.as_deref() == Some(id);
        self.children.iter().find(|(_, child)| named(child.as_ref())).map(|(&key, _)| key)
    }

    fn pid_of(&self, key: Key) -> u32 {
        let running = self.children.get(&key).and_then(|child| child.running.as_ref());
        running.map_or(0, |running| running.pid().unsigned_abs())
    }

    pub(super) fn carry_out(&mut self, operation: Operation, answer: OwnedFd) {
        let (id, event): (_, fn(Ticket, Key) -> Event) = match operation {
            Operation::Terminate(id) => (id, Event::Terminate),
            Operation::Restart(id) => (id, Event::Restart),
            Operation::Delete(id) => (id, Event::Delete),
            Operation::Has(id) => {
                let has = self.children.values().any(|child| child.spec().id == id);
                return request::answer(&answer, if has { &Answered::Done } else { &Answered::NotFound });
            }
            Operation::Children => {
                request::answer(&answer, &Answered::Children(self.facts()));
                let all: Vec<Key> = self.children.keys().copied().collect();
                return all.into_iter().for_each(|key| self.unmap_if_idle(key));
            }
        };
        let Some(key) = self.key_of(&id) else {
            return request::answer(&answer, &Answered::NotFound);
        };
        let is_restarting = self.policy.status(key) == Some(Status::Restarting);
        if let Some(child) = self.children.get_mut(&key) {
            match event(0, key) {
                // This request is later than the one that cancelled the restart.
                Event::Restart(..) => child.status_page().call_on(),
                Event::Terminate(..) if is_restarting && child.running.is_none() => {
                    child.end = Some(End::CalledOff(StoppedBy::Supervisor));
                }
                _ => {}
            }
        }
        let ticket = self.next_number();
        self.requests.add(ticket, answer, key);
        self.tell_policy(event(ticket, key));
    }

    /// Sends the policy's reply, completed with what is known of the child.
    pub(super) fn reply_to_request(&mut self, ticket: Ticket, answer: Answer) {
        let Some(Pending { reply_to, subject: key }) = self.requests.take(ticket) else { return };
        let answered = match answer {
            Answer::Done => Answered::Done,
            Answer::NotFound => Answered::NotFound,
            Answer::ShuttingDown | Answer::MaxChildren => Answered::ShuttingDown,
            Answer::Restarting | Answer::AlreadyPresent => Answered::Restarting,
            Answer::Running | Answer::AlreadyStarted => {
                let incarnation = self.children.get(&key).map_or(0, |child| child.incarnation);
                Answered::Running(self.pid_of(key), incarnation)
            }
            Answer::StartFailed => {
                let last = self.children.get(&key).and_then(|child| child.last_reason());
                Answered::Failed(last.cloned().unwrap_or(ExitReason::SupervisorDied))
            }
        };
        request::answer(&reply_to, &answered);
    }

    fn facts(&self) -> Vec<ChildFacts> {
        self.children.iter().map(|(&key, child)| self.facts_of(key, child)).collect()
    }

    fn facts_of(&self, key: Key, child: &Child) -> ChildFacts {
        ChildFacts {
            id: child.spec().id().to_owned(),
            pid: child.running.as_ref().map(|running| running.pid().unsigned_abs()),
            status: self.policy.status(key).unwrap_or(Status::Down),
            kind: child.spec().kind,
            restart: child.spec().rules().restart,
            shutdown: child.spec().shutdown(),
            significant: child.spec().options.significant,
            daemon: child.spec().options.daemon,
            incarnation: child.incarnation,
            restarts: child.restarts.0,
        }
    }
}
