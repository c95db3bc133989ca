//! `shutdown`, and supervisors that are killed while others work.

use std::thread;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes, until};

#[actor]
struct Team;

#[actor]
impl Team {
    fn hire(&self) -> phalanx::Result<ActorRef<Team>> {
        Ok(Team.spawn()?)
    }

    fn answer(&self) -> u32 {
        42
    }
}

#[test]
fn shutdown_ends_everything_and_the_next_spawn_starts_a_new_tree() {
    alone(|| {
        for _ in 0..3 {
            let team = Team.spawn().unwrap();
            let member = team.hire().wait().unwrap();
            let root = processes::root_supervisor(std::process::id()).unwrap();
            phalanx::shutdown();
            assert!(!team.is_alive() && !processes::exists(root));
            assert!(team.exit_reason().unwrap().is_orderly());
            assert!(!member.is_alive());
            assert!(matches!(team.answer().wait(), Err(CallError::Gone(_))));
            assert!(phalanx::children().is_empty());
        }
    });
}

#[test]
fn shutdown_without_a_tree_or_a_second_time_does_nothing() {
    alone(|| {
        phalanx::shutdown();
        let team = Team.spawn().unwrap();
        phalanx::shutdown();
        phalanx::shutdown();
        assert!(!team.is_alive());
    });
}

#[test]
fn every_thread_that_calls_shutdown_returns_when_all_is_over() {
    alone(|| {
        let teams: Vec<_> = (0..4).map(|_| Team.spawn().unwrap()).collect();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    phalanx::shutdown();
                    assert!(teams.iter().all(|team| !team.is_alive()));
                });
            }
        });
    });
}

#[test]
fn a_spawn_during_a_shutdown_works_or_says_why_not() {
    alone(|| {
        let mut started = Vec::new();
        for _ in 0..10 {
            let _team = Team.spawn().unwrap();
            thread::scope(|scope| {
                let spawning = scope.spawn(|| Team.spawn());
                phalanx::shutdown();
                match spawning.join().unwrap() {
                    Ok(team) => started.push(team),
                    Err(SpawnError::ShuttingDown { .. } | SpawnError::SupervisorDied { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            });
        }
        phalanx::shutdown();
        assert!(started.iter().all(|team| !team.is_alive()));
    });
}

/// The second sender to an actor that is being shut down gets a reply or an error, never silence.
#[test]
fn a_call_during_a_shutdown_is_answered_or_fails() {
    alone(|| {
        let team = Team.spawn().unwrap();
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                until("the end of the actor", EVENT_TIMEOUT, || match team.answer().wait() {
                    Ok(42) => None,
                    other => Some(other),
                })
            });
            phalanx::shutdown();
            let last = asking.join().unwrap();
            assert!(
                matches!(last, Err(CallError::Gone(_) | CallError::Stopped(_) | CallError::Died(..))),
                "{last:?}"
            );
        });
    });
}

#[test]
fn an_actor_outlives_the_supervisor_of_its_children() {
    alone(|| {
        let team = Team.spawn().unwrap();
        let member = team.hire().wait().unwrap();
        let deeper = member.hire().wait().unwrap();
        let pids = [member.pid().unwrap(), deeper.pid().unwrap()];

        let parent = processes::stat(pids[0]).unwrap().parent;
        assert!(processes::nested_supervisors(std::process::id()).contains(&parent));
        processes::kill(parent);

        eventually("the end of its children", EVENT_TIMEOUT, || {
            !pids.iter().any(|&pid| processes::exists(pid))
        });
        assert_eq!(member.join_timeout(EVENT_TIMEOUT), Some(ExitReason::SupervisorDied));
        assert!(matches!(deeper.answer().wait(), Err(CallError::Gone(_))));
        assert_eq!(team.answer().wait().unwrap(), 42);
    });
}

#[test]
fn an_actor_whose_supervisor_was_killed_spawns_into_a_new_one() {
    alone(|| {
        let team = Team.spawn().unwrap();
        let member = team.hire().wait().unwrap();
        processes::kill(processes::stat(member.pid().unwrap()).unwrap().parent);
        member.join();
        let next = team.hire().wait().unwrap();
        assert_eq!(next.answer().wait().unwrap(), 42);
    });
}
