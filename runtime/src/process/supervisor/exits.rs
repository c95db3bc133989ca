//! Deaths: who has died, what is left of it, what is published, and what the policy makes of it.

use std::os::fd::AsFd;

use super::hands::{await_return, bury_tree, put_down};
use super::{Child, Supervisor};
use crate::mailbox::ledger::{Epitaph, Refusal, State};
use crate::process::farewell;
use crate::process::request::Kind;
use crate::process::strays;
use crate::process::tree::LOOK_AT_ALL;
use crate::supervise::{Action, Event, Exit, Key, Restart};
use crate::sys::process::Wait;
use crate::sys::{fd, process, time};

/// How long a supervisor whose actor is gone may take to end what it started.
const AFTER_OWNER: u64 = 500_000_000;

impl Supervisor {
    /// Takes note of those who have ended: publishes why, ends what they leave behind, reaps them, and does what the policy says.
    pub(super) fn bury_the_dead(&mut self) {
        while let Some((pid, wait)) = process::ended_child() {
            match self.pids.remove(&pid) {
                Some(key) => self.bury(key, pid, wait),
                None => self.bury_other(pid),
            }
        }
        while let Some(pid) = process::stopped_child() {
            self.wake_supervisor(pid);
        }
        if self.leaving {
            return;
        }
        self.mourn();
        if !self.held.is_empty() {
            self.start_the_held();
        }
    }

    /// A supervisor that does nothing is of no use to anybody, and nobody debugs one. Actors that are stopped have their deadlines.
    fn wake_supervisor(&self, pid: i32) {
        let child = self.pids.get(&pid).and_then(|key| self.children.get(key));
        let is_supervisor = child.is_some_and(|child| child.spec().kind == Kind::Supervisor);
        if is_supervisor || self.nested.contains_key(&pid) || self.warden == Some(pid) {
            process::kill(pid, process::SIGCONT);
        }
    }

    /// Writes down for the children of supervisors that are gone what those could not write any more. Not before they have all
    /// ended: until then they may still be answering.
    fn mourn(&mut self) {
        let bereft: Vec<Key> =
            self.children.iter().filter(|(_, child)| child.left_children).map(|(&key, _)| key).collect();
        for key in bereft {
            if self.is_clear(key) {
                self.mourn_for(key);
            }
        }
    }

    /// The same for one supervisor, of which nothing is left: before it is started again, and its children with it.
    pub(super) fn mourn_for(&mut self, key: Key) {
        let Some(child) = self.children.get_mut(&key).filter(|child| child.left_children) else { return };
        child.left_children = false;
        match child.ledger().state() {
            // It gets no process by itself, nor do they.
            State::Down => child.spawn.children.iter().for_each(put_down),
            _ => await_return(&child.spawn),
        }
    }

    fn bury(&mut self, key: Key, pid: i32, wait: Wait) {
        self.rising.remove(&key);
        let Some(child) = self.children.get_mut(&key) else { return };
        // Its group, while its pid still is the group's.
        process::kill(-pid, process::SIGKILL);
        let was_up = child.ledger().state() >= State::Ready;
        child.left_children = !child.spawn.children.is_empty();
        let (epitaph, exit) = child.last_rites(wait);
        if self.leaving && !child.initial {
            bury_tree(&child.spawn);
        }
        process::reap(pid);
        let is_worker = child.spec().kind != Kind::Supervisor;
        if is_worker {
            // Whoever waits for it does not wait for anything else.
            child.tell_those_who_wait();
        }
        if self.leaving {
            // Nobody starts any more.
            self.kill_strays();
            return;
        }
        self.expect_end_of_nested(pid);
        if !is_worker {
            self.kill_strays();
        }
        let event = match (&epitaph.refusal, was_up) {
            (Some(Refusal::Ignored), false) => Event::Ignored(key),
            (_, false) => Event::StartFailed(key),
            // It was up for too short a time to be seen so.
            (_, true) => {
                self.tell_policy(Event::Up(key));
                Event::Exited(key, exit)
            }
        };
        let actions = self.policy.handle(event, time::now());
        let for_good =
            |action: &Action| matches!(action, Action::Down(of) | Action::Forget(of) if *of == key);
        if !is_worker
            && !actions.iter().any(for_good)
            && let Some(child) = self.children.get(&key)
        {
            child.ring();
        }
        self.act(actions);
        if is_worker {
            // The next process does not wait for what the last one has left running elsewhere.
            self.kill_strays();
        }
    }

    /// A nested supervisor, the warden, or an orphan that came to us. Its own orphans come to us now.
    fn bury_other(&mut self, pid: i32) {
        let nested = self.nested.remove(&pid);
        if nested.is_none() {
            process::kill(-pid, process::SIGKILL);
        }
        if self.warden == Some(pid) {
            self.warden = None;
        }
        process::reap(pid);
        self.kill_strays();
        if let Some(nested) = nested.filter(|_| !self.leaving) {
            self.note_end_of_nested(nested.owner);
        }
    }

    /// The supervisor of a dead actor notices by itself; if it does not, it is killed.
    fn expect_end_of_nested(&mut self, owner: i32) {
        let at = time::now() + AFTER_OWNER;
        let bereft = self.nested.values_mut().filter(|nested| nested.owner == owner);
        bereft.for_each(|nested| nested.kill_at = Some(at));
    }

    /// Kills children that are not ours: descendants of the dead, for which every subreaper is a foster parent.
    pub(super) fn kill_strays(&self) {
        self.strays().for_each(strays::kill_with_group);
    }

    fn strays(&self) -> impl Iterator<Item = i32> {
        let known = |pid: &i32| {
            self.pids.contains_key(pid) || self.nested.contains_key(pid) || self.warden == Some(*pid)
        };
        strays::children(process::pid()).into_iter().filter(move |pid| !known(pid))
    }

    /// Whether nothing is left of the last process of a child: what it had started has ended, too, and two never overlap.
    pub(super) fn is_clear(&self, key: Key) -> bool {
        let Some(child) = self.children.get(&key) else { return true };
        if child.incarnation == 0 {
            return true;
        }
        let nested = self.nested.values().any(|nested| nested.owner == child.last_pid);
        !nested && (child.spec().kind != Kind::Supervisor || self.strays().next().is_none())
    }

    /// What has come up meanwhile; and, if somebody rang for more than that, whose message has a limit, and who wants a supervisor.
    pub(super) fn answer_the_door(&mut self, rung: u64) {
        self.see_who_is_up();
        if rung < LOOK_AT_ALL {
            // Looking at every page for every start would cost the more the more children there are.
            return;
        }
        let now = time::now();
        for child in self.children.values_mut() {
            child.look_for_limit(now);
        }
        self.grant_supervisors();
    }

    pub(super) fn see_who_is_up(&mut self) {
        let up: Vec<Key> = self.rising.iter().copied().filter(|key| self.is_up(*key)).collect();
        for key in up {
            self.rising.remove(&key);
            self.tell_policy(Event::Up(key));
        }
    }

    fn is_up(&self, key: Key) -> bool {
        self.children.get(&key).is_some_and(|child| child.ledger().state() == State::Ready)
    }
}

impl Child {
    /// Publishes the end of its process, and what comes next as far as that is known. Before the process is reaped.
    fn last_rites(&mut self, wait: Wait) -> (Epitaph, Exit) {
        let life = self.life.take();
        let asked = life.as_ref().is_some_and(|life| life.asked.is_some());
        let verdict = life.and_then(|life| life.verdict);
        let mut epitaph = farewell::epitaph(self.methods, self.ledger(), wait, verdict);
        let exit = farewell::exit(self.ledger(), &epitaph);
        let comes_back = match (self.spec().rules.restart, exit) {
            (_, Exit::Recycled) => true,
            (Restart::Temporary, _) => false,
            _ => true,
        };
        if comes_back || self.initial {
            epitaph.unserved = 0;
            if let Some(busy) = &mut epitaph.in_progress {
                busy.again = farewell::may_be_repeated(self.methods, self.ledger());
            }
            self.say_how_it_ended(asked, &epitaph);
            self.ledger().bury(&epitaph, State::Restarting);
        } else {
            self.say_how_it_ended(asked, &epitaph);
            // Whoever hears of its end can rely on theirs.
            self.spawn.children.iter().for_each(bury_tree);
            self.ledger().bury(&epitaph, State::Dead);
        }
        (epitaph, exit)
    }

    /// Its page says that its process has ended, and what comes next as far as that is known.
    fn tell_those_who_wait(&self) {
        match self.ledger().state() {
            State::Dead => fd::shut_down(self.spawn.receiver.as_fd()),
            _ => self.ring(),
        }
    }
}
