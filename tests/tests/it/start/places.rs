//! Where a spawn may stand: any thread, any runtime, another actor, before and after an end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::Echo;

#[test]
fn an_actor_outlives_the_thread_that_spawned_it() {
    alone(|| {
        let spawn = || {
            let echo = Echo.spawn().unwrap();
            (echo.pid().unwrap(), echo)
        };
        // Twice: the first one has started the tree, too.
        for _ in 0..2 {
            let (pid, echo) = thread::spawn(spawn).join().unwrap();
            // Longer than any tie to the thread would take to show.
            assert_eq!(echo.join_timeout(Duration::from_millis(300)), None);
            assert_eq!(echo.own_pid().wait().unwrap(), pid);
        }
    });
}

#[test]
fn many_threads_may_spawn_at_once() {
    alone(|| {
        let barrier = Arc::new(Barrier::new(8));
        let spawn = |number: usize, barrier: &Barrier| {
            barrier.wait();
            let names = (0..5).map(|index| format!("{number}-{index}"));
            names.map(|name| Echo.builder().name(name).spawn().unwrap()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..8)
            .map(|number| (number, Arc::clone(&barrier)))
            .map(|(number, barrier)| thread::spawn(move || spawn(number, &barrier)))
            .collect();
        let actors: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let mut pids: Vec<u32> = actors.iter().map(|actor| actor.own_pid().wait().unwrap()).collect();
        pids.sort_unstable();
        pids.dedup();
        assert_eq!(pids.len(), 40);
        assert_eq!(phalanx::children().len(), 40);
        let below = processes::descendants(std::process::id());
        assert_eq!(
            below.iter().filter(|process| process.name.starts_with("phx-root")).count(),
            1,
            "{below:?}"
        );
    });
}

#[test]
fn an_actor_starts_from_inside_a_multi_threaded_runtime() {
    alone(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let echo = runtime.block_on(async {
            let spawned = tokio::spawn(async { Echo.spawn().unwrap() }).await.unwrap();
            assert_eq!(spawned.echo("inside".into()).await.unwrap(), "inside");
            spawned
        });
        drop(runtime);
        assert_eq!(echo.echo("outside".into()).wait().unwrap(), "outside");
    });
}

#[test]
fn an_actor_starts_from_inside_a_single_threaded_runtime() {
    alone(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let said = runtime.block_on(async { Echo.spawn().unwrap().echo("inside".into()).await });
        assert_eq!(said.unwrap(), "inside");
    });
}

/// Starts others of its kind below itself.
#[actor]
struct Node {
    child: Option<ActorRef<Node>>,
}

#[actor]
impl Node {
    /// Makes a line of actors below, each started by the one before; returns their pids from the bottom.
    fn grow(&mut self, levels: u32) -> phalanx::Result<Vec<u32>> {
        let mut pids = Vec::new();
        if levels > 0 {
            let child = Node { child: None }.builder().name(format!("level-{levels}")).spawn()?;
            pids = child.grow(levels - 1).wait()?;
            self.child = Some(child);
        }
        pids.push(std::process::id());
        Ok(pids)
    }

    fn child(&self) -> Option<ActorRef<Node>> {
        self.child.clone()
    }

    fn spawned_by(&self) -> Option<u32> {
        phalanx::current().parent()
    }
}

#[test]
fn actors_spawn_actors_three_levels_deep() {
    alone(|| {
        let top = Node { child: None }.spawn().unwrap();
        let pids = top.grow(3).wait().unwrap();
        assert_eq!(pids.len(), 4);
        let mut node = top;
        let mut above = std::process::id();
        for &pid in pids.iter().rev() {
            assert_eq!(node.pid().unwrap(), pid);
            assert_eq!(node.spawned_by().wait().unwrap(), Some(above));
            above = pid;
            match node.child().wait().unwrap() {
                Some(child) => node = child,
                None => assert_eq!(pid, pids[0]),
            }
        }
    });
}

#[test]
fn what_an_actor_started_ends_with_it() {
    alone(|| {
        let top = Node { child: None }.spawn().unwrap();
        let pids = top.grow(3).wait().unwrap();
        top.kill().unwrap();
        assert_eq!(top.join().signal(), Some(9));
        eventually("the end of all levels", EVENT_TIMEOUT, || {
            pids.iter().all(|&pid| !processes::exists(pid))
        });
    });
}

#[test]
fn a_spawn_after_a_shutdown_starts_a_fresh_tree() {
    alone(|| {
        let mut supervisors = Vec::new();
        for _ in 0..3 {
            let echo = Echo.spawn().unwrap();
            supervisors.push(processes::root_supervisor(std::process::id()).unwrap());
            assert_eq!(echo.echo("hello".into()).wait().unwrap(), "hello");
            phalanx::shutdown();
            assert!(!echo.is_alive());
            assert_eq!(processes::root_supervisor(std::process::id()), None);
        }
        supervisors.dedup();
        assert_eq!(supervisors.len(), 3);
    });
}

#[test]
fn a_shutdown_without_a_tree_does_nothing() {
    alone(|| {
        phalanx::shutdown();
        phalanx::shutdown();
        assert_eq!(Echo.spawn().unwrap().echo("still".into()).wait().unwrap(), "still");
    });
}

#[test]
fn a_spawn_during_a_shutdown_is_refused_or_starts_afresh_but_never_hangs() {
    alone(|| {
        for _ in 0..10 {
            let first = Echo.spawn().unwrap();
            let over = Arc::new(AtomicBool::new(false));
            let flag = Arc::clone(&over);
            let spawner = thread::spawn(move || {
                let mut started = 0;
                while !flag.load(Ordering::SeqCst) {
                    match Echo.spawn() {
                        Ok(_) => started += 1,
                        Err(SpawnError::ShuttingDown { .. } | SpawnError::SupervisorDied { .. }) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                }
                started
            });
            phalanx::shutdown();
            assert!(!first.is_alive());
            over.store(true, Ordering::SeqCst);
            spawner.join().unwrap();
            phalanx::shutdown();
        }
    });
}

/// Has refs in its state.
#[actor]
struct Pair {
    refs: Vec<ActorRef<Echo>>,
}

#[actor]
impl Pair {
    fn all_answer(&self) -> usize {
        self.refs.iter().filter(|echo| echo.echo("hello".into()).wait().is_ok()).count()
    }
}

#[test]
fn a_spawn_with_too_many_refs_is_an_error_and_no_panic() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        let pair = |count: usize| Pair { refs: vec![echo.clone(); count] }.spawn();
        assert_eq!(pair(25).unwrap().all_answer().wait().unwrap(), 25);
        for count in [31, 32, 33, 40, 100] {
            let error = pair(count).unwrap_err().to_string();
            assert!(error.contains("refs"), "{error}");
        }
        assert_eq!(pair(2).unwrap().all_answer().wait().unwrap(), 2);
    });
}
