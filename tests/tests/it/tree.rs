//! What `phalanx::tree()` says of processes is what the system says of them.

use std::fs;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{Node, NodeKind, NodeState};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

/// May have one like itself.
#[actor]
struct Level {
    below: Option<ActorRef<Level>>,
}

#[actor]
impl Level {
    fn start_one(&mut self, name: String) -> phalanx::Result<u32> {
        let below = Level { below: None }.builder().name(name).spawn()?;
        let pid = below.pid()?;
        self.below = Some(below);
        Ok(pid)
    }

    fn parents(&self) -> (Option<u32>, Option<u32>) {
        let me = phalanx::current();
        (me.parent(), me.supervisor())
    }

    fn parents_below(&self) -> phalanx::Result<(Option<u32>, Option<u32>)> {
        let below = self.below.as_ref().ok_or(phalanx::Error::new("nobody is below"))?;
        Ok(below.parents().wait()?)
    }

    fn root(&self) -> Option<u32> {
        phalanx::tree().and_then(|tree| tree.pid)
    }

    #[tell]
    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

fn node(name: &str) -> Node {
    phalanx::tree().and_then(|tree| tree.find(name).cloned()).expect("it is in the tree")
}

/// A number in `/proc/PID/status`, as it stands there.
fn status(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field is there");
    line.split_ascii_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
}

#[test]
fn pid_parents_name_and_memory_are_those_of_the_system() {
    alone(|| {
        let start = Instant::now();
        let upper = Level { below: None }.builder().name("upper").spawn().unwrap();
        let below = upper.start_one("below".into()).wait().unwrap();
        let tree = phalanx::tree().unwrap();
        assert_eq!((tree.kind, tree.parent), (NodeKind::Own, Some(std::process::id())));

        for (name, pid, spawner) in
            [("upper", upper.pid().unwrap(), std::process::id()), ("below", below, upper.pid().unwrap())]
        {
            let node = node(name);
            let stat = processes::stat(pid).unwrap();
            assert_eq!((node.pid, &*node.name, node.state), (Some(pid), &*stat.name, NodeState::Up));
            assert_eq!((node.parent, node.supervisor), (Some(spawner), Some(stat.parent)));
            // An actor that waits touches no page that it had not touched before.
            eventually("the same memory", EVENT_TIMEOUT, || {
                self::node(name).rss == 1024 * status(pid, "VmRSS")
            });
            assert!(node.age <= start.elapsed() + Duration::from_millis(20), "{:?}", node.age);
        }
        // And what the processes say of themselves.
        assert_eq!(upper.parents().wait().unwrap(), (node("upper").parent, node("upper").supervisor));
        assert_eq!(upper.parents_below().wait().unwrap(), (node("below").parent, node("below").supervisor));
        assert_eq!((phalanx::current().parent(), phalanx::current().supervisor()), (None, None));
    });
}

#[test]
fn what_it_is_busy_with_what_waits_and_how_it_ended_are_in_the_table() {
    alone(|| {
        let busy = Level { below: None }.builder().name("busy").restart(phalanx::Restart::Permanent);
        let busy = busy.spawn().unwrap();
        for _ in 0..3 {
            busy.sleep(Duration::from_secs(100)).unwrap();
        }
        eventually("it is busy", EVENT_TIMEOUT, || node("busy").in_progress.is_some());
        let before = node("busy");
        assert_eq!((before.depth, before.incarnation, before.last_reason), (2, 1, None));
        assert_eq!(before.in_progress.unwrap().0, "sleep");
        processes::kill(busy.pid().unwrap());
        eventually("it is back", EVENT_TIMEOUT, || node("busy").incarnation == 2);
        eventually("and busy", EVENT_TIMEOUT, || node("busy").depth == 1);
        let after = node("busy");
        assert_eq!(after.last_reason.unwrap().signal(), Some(9));
        busy.kill().unwrap();
        busy.join();
    });
}

#[test]
fn a_supervisor_that_is_called_as_the_root_is_not_taken_for_it() {
    alone(|| {
        let level = Level { below: None }.builder().name("level").reserve().unwrap();
        let named = phalanx::Supervisor::one_for_one().name("phx-root: x").child("level", level);
        let impostor = Level { below: None }.builder().name("phx-root: y").spawn().unwrap();
        let named = named.start().unwrap();
        let real = processes::stat(named.pid().unwrap()).unwrap().parent;
        let tree = phalanx::tree().unwrap();
        assert_eq!((tree.pid, tree.kind), (Some(real), NodeKind::Own));
        assert_eq!(tree.find("phx-root: x").and_then(|node| node.pid), named.pid().ok());
        // Seen from below as well.
        assert_eq!(impostor.root().wait(), Ok(Some(real)));
        assert_eq!(tree.walk().filter(|node| node.kind == NodeKind::Own).count(), 1);
        let below = impostor.start_one("phx-root: z".into()).wait().unwrap();
        assert!(phalanx::tree().unwrap().walk().any(|node| node.pid == Some(below)));
    });
}

/// Its supervisor may still be at work on the start, while its callers know already that it is ready.
#[test]
fn what_has_been_started_is_there_at_once() {
    alone(|| {
        for round in 0..200 {
            let name = format!("new-{round}");
            let actor = Level { below: None }.builder().name(&name).spawn().unwrap();
            let pid = actor.pid().unwrap();
            assert!(phalanx::children().iter().any(|child| child.pid == pid), "{round}");
            assert_eq!(phalanx::tree().unwrap().find(&name).and_then(|node| node.pid), Some(pid));
            actor.kill().unwrap();
        }
    });
}
