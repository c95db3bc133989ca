//! What the operating system sees of a started actor: its name, its group, its parent.

use std::fs;
use std::process;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{alone, eventually, processes};

use super::{Echo, supervised};

fn short_name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim_end().to_owned()
}

fn first_argument(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let first = line.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(first).trim_end().to_owned()
}

fn parent(pid: u32) -> u32 {
    processes::stat(pid).unwrap().parent
}

#[test]
fn a_process_carries_its_actors_name() {
    alone(|| {
        let echo = Echo.builder().name("a-name-of-more-than-fifteen-bytes").spawn().unwrap();
        let plain = Echo.spawn().unwrap();
        let task = Process::builder(
            |()| loop {
                std::thread::park()
            },
            (),
        )
        .name("worker")
        .spawn();
        let task: Process<()> = task.unwrap();
        assert_eq!(short_name(echo.pid().unwrap()), "a-name-of-more-");
        assert_eq!(first_argument(echo.pid().unwrap()), "a-name-of-more-than-fifteen-bytes");
        assert_eq!(short_name(plain.pid().unwrap()), "Echo");
        assert_eq!(first_argument(plain.pid().unwrap()), "Echo");
        assert_eq!(short_name(task.pid()), "worker");
        task.kill().unwrap();
    });
}

#[test]
fn every_actor_has_a_process_group_of_its_own() {
    alone(|| {
        let pids: Vec<u32> = (0..5).map(|_| Echo.spawn().unwrap().pid().unwrap()).collect();
        for &pid in &pids {
            assert_eq!(processes::stat(pid).unwrap().group, pid);
        }
        let supervisor = parent(pids[0]);
        assert_eq!(processes::stat(supervisor).unwrap().group, supervisor);
    });
}

#[test]
fn actors_are_children_of_the_root_supervisor_which_stands_below_the_program_and_its_reaper() {
    alone(|| {
        let echoes: Vec<_> = (0..3).map(|_| Echo.spawn().unwrap()).collect();
        let supervisor = parent(echoes[0].pid().unwrap());
        for echo in &echoes {
            assert_eq!(parent(echo.pid().unwrap()), supervisor);
        }
        assert_eq!(processes::reaper(process::id()), Some(parent(supervisor)));
        assert_eq!(parent(parent(supervisor)), process::id());
        assert_eq!(processes::root_supervisor(process::id()), Some(supervisor));
        let mut expected: Vec<u32> = echoes.iter().map(|echo| echo.pid().unwrap()).collect();
        expected.sort_unstable();
        assert_eq!(supervised(), expected);
    });
}

#[test]
fn a_supervisor_has_one_thread_and_a_name_that_says_what_it_is() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        let supervisor = parent(echo.pid().unwrap());
        for _ in 0..20 {
            let other = Echo.spawn().unwrap();
            other.kill().unwrap();
            let _ = other.join();
            assert_eq!(fs::read_dir(format!("/proc/{supervisor}/task")).unwrap().count(), 1);
        }
        assert!(short_name(supervisor).starts_with("phx-root:"), "{}", short_name(supervisor));
        assert!(first_argument(supervisor).starts_with("phx-root: it-"), "{}", first_argument(supervisor));
    });
}

/// Spawns one, so that it needs a supervisor.
#[actor]
struct Boss {
    workers: Vec<ActorRef<Echo>>,
}

#[actor]
impl Boss {
    fn hire(&mut self) -> phalanx::Result<u32> {
        let worker = Echo.builder().name("worker").spawn()?;
        let pid = worker.pid()?;
        self.workers.push(worker);
        Ok(pid)
    }
}

#[test]
fn the_supervisor_of_an_actor_carries_its_name_and_comes_when_it_is_needed() {
    alone(|| {
        let boss = Boss { workers: Vec::new() }.builder().name("boss").spawn().unwrap();
        let root = parent(boss.pid().unwrap());
        assert_eq!(supervised(), [boss.pid().unwrap()]);
        let first = boss.hire().wait().unwrap();
        let second = boss.hire().wait().unwrap();
        let supervisor = parent(first);
        assert_eq!(parent(second), supervisor);
        assert_ne!(supervisor, root);
        assert!(short_name(supervisor).starts_with("phx-sup:"), "{}", short_name(supervisor));
        assert!(first_argument(supervisor).contains("boss"), "{}", first_argument(supervisor));
        assert_eq!(fs::read_dir(format!("/proc/{supervisor}/task")).unwrap().count(), 1);
        assert_eq!(processes::stat(supervisor).unwrap().group, supervisor);
        boss.kill().unwrap();
        let gone = || !([supervisor, first, second].into_iter().any(processes::exists));
        eventually("the end of supervisor and workers", Duration::from_secs(15), gone);
    });
}

#[test]
fn a_ref_that_was_returned_by_spawn_has_its_pid() {
    alone(|| {
        for _ in 0..200 {
            let echo = Echo.spawn().unwrap();
            let pid = echo.pid().unwrap();
            assert!(pid > 1 && echo.incarnation() == 1, "process {pid}, incarnation {}", echo.incarnation());
            echo.kill().unwrap();
        }
    });
}

#[test]
fn children_lists_what_was_spawned_and_is_alive() {
    alone(|| {
        let first = Echo.builder().name("first").spawn().unwrap();
        let second = Echo.builder().name("second").daemon(true).spawn().unwrap();
        let listed: Vec<_> = phalanx::children();
        let shown: Vec<_> =
            listed.iter().map(|child| (child.name.as_str(), child.pid, child.daemon)).collect();
        let expected = [("first", first.pid().unwrap(), false), ("second", second.pid().unwrap(), true)];
        assert_eq!(shown, expected);
        first.kill().unwrap();
        let _ = first.join();
        assert_eq!(phalanx::children().len(), 1);
    });
}

#[test]
fn a_name_that_is_too_long_for_the_system_is_cut_between_characters() {
    alone(|| {
        for (name, short) in [
            ("приёмник", "приёмни"),
            ("a受信機受信", "a受信機受"),
            ("x".repeat(20).as_str(), "xxxxxxxxxxxxxxx"),
        ] {
            let echo = Echo.builder().name(name).spawn().unwrap();
            let pid = echo.pid().unwrap();
            assert_eq!(short_name(pid), short);
            assert_eq!(first_argument(pid), name);
        }
        let long = "ё".repeat(100);
        let echo = Echo.builder().name(&long).spawn().unwrap();
        let first = first_argument(echo.pid().unwrap());
        assert!(long.starts_with(&first) && first.len() >= 119, "{first}");
    });
}
