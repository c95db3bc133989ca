//! Exits of children: how each ended, what it left behind, what is published, and what the policy decides.

use std::os::fd::AsFd;

use super::actions::{await_return, mark_dead_below, mark_down_below};
use super::running::{RunningProcess, StopOrder};
use super::{Child, Supervisor};
use crate::control::orphans;
use crate::control::request::Kind;
use crate::policy::{Action, Event, Exit, Key, Restart};
use crate::status::{ExitRecord, State, StopMode};
use crate::supervisor::{events, exit_cause};
use crate::sys::process::{self, Wait};
use crate::sys::{clock, fd, procfs};
use crate::types::spawn_error_kind::SpawnErrorKind;

/// How long a supervisor whose actor is gone may take to end what it started.
const AFTER_OWNER: u64 = 500_000_000;

impl Supervisor {
    /// For each process that has ended: publishes why, kills what it left behind, reaps it, and carries out
    /// the policy's actions.
    pub(super) fn reap_children(&mut self) {
        while let Some((pid, wait)) = process::ended_child() {
            match self.processes.remove(pid) {
                Some(key) => self.on_exit(key, pid, wait),
                None => self.reap_orphan(pid),
            }
        }
        while let Some((pid, signal)) = process::stopped_child() {
            self.note_that_it_is_stopped(pid, signal);
        }
        if self.leaving {
            return;
        }
        self.settle_orphaned_children();
        if !self.blocked_starts.is_empty() {
            self.start_unblocked();
        }
    }

    /// Handles a child that was stopped by a signal. A stopped supervisor is of no use, and is not debugged,
    /// so it is continued. Actors and tasks may be stopped by a person, for a reason: that is logged, since
    /// their callers see only that no reply comes.
    fn note_that_it_is_stopped(&self, pid: i32, signal: i32) {
        let child = self.processes.owner(pid).and_then(|key| self.children.get(&key));
        let is_supervisor = child.is_some_and(|child| child.spec().kind == Kind::Supervisor);
        let is_spare = self.standby.contains(pid);
        if is_supervisor || is_spare || self.nested.contains(pid) {
            process::kill(pid, process::SIGCONT);
        } else if let Some(child) = child {
            child.say_that_it_is_stopped(pid, signal);
        }
    }

    /// Records the exits that dead supervisors could not record for their children. Waits until all of them
    /// have ended, because until then they may still send replies.
    fn settle_orphaned_children(&mut self) {
        let bereft: Vec<Key> =
            self.children.iter().filter(|(_, child)| child.left_children).map(|(&key, _)| key).collect();
        for key in bereft {
            if self.is_clear(key) {
                self.settle_children_of(key);
            }
        }
    }

    /// Records the children's exits for one supervisor that has left nothing behind, before it is started
    /// again and its children with it.
    pub(super) fn settle_children_of(&mut self, key: Key) {
        let Some(child) = self.children.get_mut(&key).filter(|child| child.left_children) else { return };
        child.left_children = false;
        match child.state {
            // Neither it nor its children get a process by themselves.
            State::Down => mark_down_below(&child.spawn),
            _ => await_return(&child.spawn),
        }
    }

    /// Handles the exit of a child's process, which is not reaped yet: records it, publishes it, asks the
    /// policy, and carries out its actions.
    fn on_exit(&mut self, key: Key, pid: i32, wait: Wait) {
        if self.readiness.end(key) {
            self.note_who_rang();
        }
        let ends_in_order = self.is_ending();
        let Some(child) = self.children.get_mut(&key) else { return };
        // Kill its group while the pid still names it.
        process::kill(-pid, process::SIGKILL);
        self.outputs.finish(pid, clock::now(), events::line);
        if child.died_before_release() && !self.leaving {
            return self.replace_spare(key, pid);
        }
        let exited = child.record_exit(wait);
        // The program restarts what it keeps, unless it ended this supervisor itself.
        let follows = child.initial || child.spec().kept && !ends_in_order;
        if self.leaving && !follows {
            child.end_for_good();
        }
        let unreaped = child.announce_exit(pid, self.leaving);
        if self.leaving {
            // No child is started any more.
            return self.kill_strays();
        }
        self.nested.owner_ended(pid, clock::now() + AFTER_OWNER);
        if !exited.is_worker {
            self.kill_strays();
        }
        let actions = self.decide(key, &exited);
        self.carry_on(key, actions, unreaped);
        if exited.is_worker {
            // The next process does not wait for what the last one left running elsewhere.
            self.kill_strays();
        }
    }

    /// Tells the policy, and returns its actions. For a supervisor that may come back, refs are told now:
    /// they learn that it has ended, and no more.
    fn decide(&mut self, key: Key, exited: &Exited) -> Vec<Action> {
        let event = match (exited.was_ignored, exited.was_up) {
            (true, false) => Event::Ignored(key),
            (_, false) => Event::StartFailed(key),
            // It was ready too briefly for the policy to have learned of it.
            (_, true) => {
                self.tell_policy(Event::Up(key));
                Event::Exited(key, exited.exit)
            }
        };
        let actions = self.policy.handle(event, clock::now());
        let for_good =
            |action: &Action| matches!(action, Action::Down(of) | Action::Forget(of) if *of == key);
        if !exited.is_worker
            && !actions.iter().any(for_good)
            && let Some(child) = self.children.get(&key)
        {
            child.ring();
        }
        actions
    }

    /// Carries out the policy's actions. A process that is started at once does not wait until the kernel has
    /// tidied up after the last one, which is reaped afterwards.
    fn carry_on(&mut self, key: Key, actions: Vec<Action>, mut unreaped: Option<i32>) {
        if actions.first() != Some(&Action::Start(key)) {
            unreaped.take().and_then(process::reap);
        }
        self.act(actions);
        unreaped.and_then(process::reap);
    }

    /// Reaps a nested supervisor, a standby process or an orphan. Its own orphans then become children of
    /// this supervisor.
    fn reap_orphan(&mut self, pid: i32) {
        let owner = self.nested.remove(pid);
        if owner.is_none() {
            process::kill(-pid, process::SIGKILL);
        }
        let was_spare = self.forget_spare(pid);
        process::reap(pid);
        if was_spare {
            return;
        }
        self.kill_strays();
        if let Some(owner) = owner.filter(|_| !self.leaving) {
            self.note_end_of_nested(owner);
        }
    }

    /// Kills the orphans: descendants of dead processes, which come to every subreaper above them.
    pub(super) fn kill_strays(&self) {
        self.orphans().for_each(orphans::kill_with_group);
    }

    fn orphans(&self) -> impl Iterator<Item = i32> {
        let known = |pid: &i32| {
            self.processes.owner(*pid).is_some() || self.nested.contains(*pid) || self.standby.contains(*pid)
        };
        procfs::children(process::pid()).into_iter().filter(move |pid| !known(pid))
    }

    /// Whether nothing is left of a child's last process: what it started has ended too, so two incarnations
    /// never overlap.
    pub(super) fn is_clear(&self, key: Key) -> bool {
        let Some(child) = self.children.get(&key) else { return true };
        if child.incarnation == 0 {
            return true;
        }
        !self.nested.is_owner(child.last_pid)
            && (child.spec().kind != Kind::Supervisor || self.orphans().next().is_none())
    }
}

impl Child {
    /// Records the exit of its process, also on its page, and the next state as far as that is known. Called
    /// before the process is reaped.
    fn record_exit(&mut self, wait: Wait) -> Exited {
        let was_up = self.is_up();
        self.left_children = !self.spawn.children.is_empty();
        let mut process = self.running.take();
        let (order, killed) = process.as_mut().map(RunningProcess::take_end).unwrap_or_default();
        let mut exit_record = exit_cause::exit_record(self.methods, self.status_page(), wait, killed);
        exit_record.unready = self.state != State::Ready;
        let exit = self.classify(order, &exit_record);
        if self.comes_back(exit) || self.initial {
            exit_record.unserved = 0;
            if let Some(busy) = &mut exit_record.in_progress {
                busy.again = exit_cause::may_be_repeated(self.methods, self.status_page());
            }
            self.say_how_it_ended(order.is_some(), &exit_record);
            self.publish_exit(&exit_record, State::Restarting);
        } else {
            self.say_how_it_ended(order.is_some(), &exit_record);
            // A process that learns of its end can rely on theirs.
            mark_dead_below(&self.spawn);
            self.publish_exit(&exit_record, State::Dead);
        }
        let was_ignored = matches!(exit_record.refusal, Some(SpawnErrorKind::Ignored));
        let is_worker = self.spec().kind != Kind::Supervisor;
        Exited { was_up, was_ignored, is_worker, exit, _process: process }
    }

    /// The kind of exit, for the restart policy. The supervisor knows its own orders. Orders of other
    /// processes are read from the page, which the child may have forged for itself.
    fn classify(&self, order: Option<StopOrder>, exit_record: &ExitRecord) -> Exit {
        // A task that may end by itself in a drain was not asked to stop.
        let ordered =
            order.is_some_and(|order| order.mode == StopMode::Stop || !self.spec().ends_by_itself());
        if ordered { Exit::NoRestart } else { exit_cause::exit(self.spec(), self.status_page(), exit_record) }
    }

    /// Whether it may have another process, by its restart type alone.
    fn comes_back(&self, exit: Exit) -> bool {
        match (self.spec().rules().restart, exit) {
            (_, Exit::Recycled) => true,
            (Restart::Temporary, _) => false,
            _ => true,
        }
    }

    /// Tells the holders of refs to look at its page. A holder that learns of the end of an actor can rely on
    /// its being reaped; a holder that learns of the end of one incarnation does not wait for that. Returns
    /// the pid if it is still to be reaped.
    fn announce_exit(&self, pid: i32, is_leaving: bool) -> Option<i32> {
        let is_worker = self.spec().kind != Kind::Supervisor;
        let comes_back = self.state != State::Dead;
        let unreaped = Some(pid).filter(|_| is_worker && comes_back && !is_leaving);
        if unreaped.is_none() {
            process::reap(pid);
        }
        match (is_worker, comes_back) {
            (true, true) => self.ring(),
            (true, false) => fd::shut_down(self.spawn.receiver.as_fd()),
            // The policy is asked first.
            (false, _) => {}
        }
        unreaped
    }
}

/// How a process ended, to decide what follows.
struct Exited {
    was_up: bool,
    /// Its `init` declined to start.
    was_ignored: bool,
    /// It was an actor or a task.
    is_worker: bool,
    exit: Exit,
    /// Its descriptors are closed only after every process that must learn of its end was told.
    _process: Option<RunningProcess>,
}
