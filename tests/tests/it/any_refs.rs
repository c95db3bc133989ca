//! Refs without a type, what an actor does at the end of another, and the parent's end.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{AnyRef, Down};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, eventually, processes};

/// Knows which actors are inside.
#[actor]
struct Porter {
    inside: Vec<AnyRef>,
    left: Vec<(String, ExitReason)>,
}

#[actor]
impl Porter {
    #[init]
    fn new() -> Self {
        Porter { inside: Vec::new(), left: Vec::new() }
    }

    fn enter(&mut self, guest: AnyRef) -> (String, u32, bool) {
        let own = phalanx::myself::<Porter>().unwrap();
        guest.monitor().on_down(move |down| own.left(down).unwrap());
        let told = (guest.name().to_owned(), guest.pid(), guest.is_alive());
        self.inside.push(guest);
        told
    }

    #[tell]
    fn left(&mut self, down: Down) {
        self.inside.retain(|guest| guest.id() != down.who.id);
        self.left.push((down.who.name, down.reason));
    }

    fn inside(&self) -> Vec<AnyRef> {
        self.inside.clone()
    }

    fn gone(&self) -> Vec<(String, ExitReason)> {
        self.left.clone()
    }

    fn own(&self) -> AnyRef {
        phalanx::current().any().unwrap()
    }

    fn parent(&self) -> Option<(u32, bool)> {
        let mut parent = phalanx::current().parent_watch()?;
        Some((phalanx::current().parent()?, parent.try_recv().is_none()))
    }

    /// Starts a task, and dies.
    fn raise(&self, porter: ActorRef<Porter>) -> u32 {
        watch_parent::builder(porter).name("orphan").spawn().unwrap().pid()
    }

    fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap()).collect()
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir("/proc/self/fd").unwrap().count()
    }
}

#[task]
fn stay(porter: ActorRef<Porter>) {
    let own = phalanx::current().any().unwrap();
    let (name, pid, alive) = porter.enter(own).wait().unwrap();
    assert_eq!((name.as_str(), pid, alive), (phalanx::current().name(), std::process::id(), true));
    thread::sleep(FOREVER);
}

/// Says when its parent has ended.
#[task]
fn watch_parent(_porter: ActorRef<Porter>) {
    let mut parent = phalanx::current().parent_watch().unwrap();
    parent.recv();
}

fn porter() -> ActorRef<Porter> {
    Porter::spawn().unwrap()
}

#[test]
fn the_program_an_actor_and_a_task_are_known_again_everywhere() {
    alone(|| {
        let (porter, other) = (porter(), porter());
        let program = phalanx::current().any().unwrap();
        assert_eq!(program, phalanx::current().any().unwrap());
        let (name, pid, alive) = porter.enter(program.clone()).wait().unwrap();
        assert_eq!((name.as_str(), pid, alive), ("main", std::process::id(), true));
        assert_eq!(other.own().wait().unwrap(), other.any());
        porter.enter(other.any()).wait().unwrap();
        let task = stay::builder(porter.clone()).name("guest").spawn().unwrap();
        eventually("the task is inside", EVENT_TIMEOUT, || porter.inside().wait().unwrap().len() == 3);
        assert_eq!(porter.inside().wait().unwrap(), [program.clone(), other.any(), task.any()]);
        assert_ne!(program, other.any());
        assert!(program.is_alive() && program.exit_reason().is_none());
        task.kill().unwrap();
        assert!(task.join().is_err());
        assert_eq!(
            task.any().exit_reason(),
            Some(ExitReason::Killed { by: phalanx::StoppedBy::Ref, after: None })
        );
        eventually("its end is known", EVENT_TIMEOUT, || porter.inside().wait().unwrap().len() == 2);
    });
}

#[test]
fn whoever_ends_is_reported_once_by_one_thread_for_all() {
    alone(|| {
        let porter = porter();
        let guests: Vec<_> = (0..20)
            .map(|n| stay::builder(porter.clone()).name(format!("guest-{n}")).spawn().unwrap())
            .collect();
        eventually("all are inside", EVENT_TIMEOUT, || porter.inside().wait().unwrap().len() == 20);
        let threads = porter.threads().wait().unwrap();
        assert_eq!(threads.iter().filter(|name| name.starts_with("phalanx-downs")).count(), 1, "{threads:?}");
        assert!(threads.len() <= 3, "{threads:?}");
        processes::kill_together(&guests.iter().map(Process::pid).collect::<Vec<_>>());
        eventually("all have left", EVENT_TIMEOUT, || porter.inside().wait().unwrap().is_empty());
        let mut gone = porter.gone().wait().unwrap();
        gone.sort_by_key(|(name, _)| name.clone());
        gone.dedup_by_key(|(name, _)| name.clone());
        assert_eq!(gone.len(), 20);
        assert!(gone.iter().all(|(_, reason)| reason.signal() == Some(9)));
        assert_eq!(porter.gone().wait().unwrap().len(), 20);
        // One that has ended already is reported at once, and nothing is kept of any.
        porter.enter(guests[0].any()).wait().unwrap();
        eventually("it is reported", EVENT_TIMEOUT, || porter.gone().wait().unwrap().len() == 21);
        let before = porter.descriptors().wait().unwrap();
        for _ in 0..20 {
            let guest = stay::spawn(porter.clone()).unwrap();
            eventually("it is inside", EVENT_TIMEOUT, || porter.inside().wait().unwrap().len() == 1);
            guest.kill().unwrap();
            eventually("it has left", EVENT_TIMEOUT, || porter.inside().wait().unwrap().is_empty());
        }
        let after = porter.descriptors().wait().unwrap();
        // The reply channels of callers that are gone are cleared out now and then.
        assert!(after < before + 20, "{before} descriptors, then {after}");
    });
}

#[test]
fn in_the_program_an_end_is_reported_while_it_calls_and_waits() {
    alone(|| {
        let (porter, other) = (porter(), porter());
        let (sender, reports) = mpsc::channel();
        for _ in 0..3 {
            let sender = sender.clone();
            other.monitor().on_down(move |down| sender.send(down).unwrap());
        }
        other.monitor().on_down(|_| panic!("this one is logged, and harms no other"));
        for _ in 0..100 {
            porter.inside().wait().unwrap();
        }
        assert!(reports.try_recv().is_err());
        other.kill().unwrap();
        for _ in 0..3 {
            let down = reports.recv_timeout(EVENT_TIMEOUT).unwrap();
            assert_eq!((down.who.id, down.reason.signal()), (other.id(), Some(9)));
        }
        porter.monitor().on_down(move |down| sender.send(down).unwrap());
        porter.stop(EVENT_TIMEOUT).unwrap();
        assert_eq!(reports.recv_timeout(EVENT_TIMEOUT).unwrap().who.id, porter.id());
        assert!(reports.recv_timeout(Duration::from_millis(20)).is_err());
    });
}

#[test]
fn a_child_can_watch_its_parent() {
    alone(|| {
        assert!(phalanx::current().parent_watch().is_none());
        let (porter, parent) = (porter(), porter());
        assert_eq!(porter.parent().wait().unwrap(), Some((std::process::id(), true)));
        let child = parent.raise(porter).wait().unwrap();
        assert!(processes::runs(child));
        parent.kill().unwrap();
        eventually("the child has ended too", EVENT_TIMEOUT, || !processes::exists(child));
    });
}
