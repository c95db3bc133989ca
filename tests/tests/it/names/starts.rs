//! Starting actors that have a name from the beginning.

use std::io;

use phalanx::prelude::*;
use phalanx::{NameError, names};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{Db, Latch, client, db, is_already_started, not_found};

/// Registers when all others are about to.
#[task]
fn race(db: ActorRef<Db>, go: Latch) -> Result<u32, u32> {
    go.pass();
    match names::register("prize", &db) {
        Ok(()) => Ok(db.pid().unwrap()),
        Err(NameError::AlreadyRegistered { pid, .. }) => Err(pid),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn of_8_tasks_that_race_for_a_name_exactly_one_gets_it() {
    alone(|| {
        let dbs: Vec<_> = (0..8).map(db).collect();
        for round in 0..5 {
            let go = Latch::new(&format!("go {round}"));
            let racing: Vec<_> =
                dbs.iter().map(|db| race::builder(db.clone(), go.clone()).spawn().unwrap()).collect();
            go.open();
            let results: Vec<Result<u32, u32>> = racing
                .into_iter()
                .map(|task| {
                    task.join().map_err(|error| match error {
                        CallError::App(pid) => pid,
                        other => panic!("{other}"),
                    })
                })
                .collect();
            let winners: Vec<u32> = results.iter().filter_map(|result| result.ok()).collect();
            assert_eq!(winners.len(), 1, "{results:?}");
            assert!(
                results.iter().all(|result| result.unwrap_or_else(|pid| pid) == winners[0]),
                "{results:?}"
            );
            assert_eq!(names::lookup::<Db>("prize").unwrap().pid().unwrap(), winners[0]);
            names::unregister("prize").unwrap();
            go.remove();
        }
    });
}

#[test]
fn a_name_that_is_taken_is_said_before_a_process_is_started() {
    alone(|| {
        let db = Db { value: 0 }.builder().name("ps").registered("db").spawn().unwrap();
        let pid = db.pid().unwrap();
        let client = client();
        let before = processes::descendants(std::process::id()).len();
        for _ in 0..20 {
            let error = Db { value: 0 }.builder().registered("db").spawn().unwrap_err();
            assert_eq!(error, SpawnError::AlreadyStarted { actor: "db".into(), pid });
            assert!(error.to_string().contains(&format!("`db`: it is there already, process {pid}")));
            // Of another type, too.
            let error = super::Other.builder().registered("db").spawn().unwrap_err();
            assert_eq!(error, SpawnError::AlreadyStarted { actor: "db".into(), pid });
            // Elsewhere, where nothing has been started yet: not even a supervisor is.
            assert!(client.start("db".into()).wait().is_err());
        }
        assert_eq!(processes::descendants(std::process::id()).len(), before);
        assert_eq!((db.name(), names::lookup::<Db>("db")), ("ps", Ok(db.clone())));
    });
}

/// Cannot be started.
#[actor]
struct Failing;

#[actor]
impl Failing {
    #[init]
    fn new(how: u32) -> io::Result<Failing> {
        match how % 3 {
            0 => Err(io::Error::other("no")),
            1 => panic!("no"),
            _ => std::process::exit(0),
        }
    }
}

#[test]
fn after_100_starts_that_fail_the_name_is_free_each_time() {
    alone(|| {
        for how in 0..100 {
            let error = Failing::builder(how).registered("db").spawn().unwrap_err();
            assert!(!is_already_started(&error), "{error}");
            assert!(matches!(error, SpawnError::InitFailed { .. } | SpawnError::Died { .. }), "{error:?}");
            assert_eq!(names::lookup::<Failing>("db"), not_found("db"));
            let error = names::get_or_spawn("db", || Failing::builder(how)).unwrap_err();
            assert!(matches!(error, SpawnError::InitFailed { .. } | SpawnError::Died { .. }), "{error:?}");
        }
        assert!(Db { value: 0 }.builder().registered("db").spawn().is_ok());
    });
}

/// Starts slowly.
#[actor]
struct Slow;

#[actor]
impl Slow {
    #[init]
    fn new(begun: Latch, go: Latch) -> Slow {
        begun.open();
        go.pass();
        Slow
    }
}

#[test]
fn a_name_is_nobodys_while_its_actor_starts_and_cannot_be_given_away_either() {
    alone(|| {
        let (begun, go, db) = (Latch::new("begun"), Latch::new("go"), db(0));
        std::thread::scope(|scope| {
            let starting =
                scope.spawn(|| Slow::builder(begun.clone(), go.clone()).registered("slow").spawn().unwrap());
            begun.pass();
            assert_eq!(names::lookup::<Slow>("slow"), not_found("slow"));
            assert_eq!(names::unregister("slow"), Ok(false));
            assert_eq!(names::registered(), Ok(Vec::new()));
            // Waits for the outcome.
            let other = scope.spawn(|| names::register("slow", &db));
            go.open();
            let slow = starting.join().unwrap();
            let pid = slow.pid().unwrap();
            assert_eq!(other.join().unwrap(), Err(NameError::AlreadyRegistered { name: "slow".into(), pid }));
            assert_eq!(names::lookup::<Slow>("slow"), Ok(slow));
        });
        begun.remove();
        go.remove();
    });
}

#[test]
fn a_name_whose_actor_is_still_being_started_after_5_seconds_is_said_to_be() {
    alone(|| {
        let (begun, go, db) = (Latch::new("begun"), Latch::new("go"), db(0));
        std::thread::scope(|scope| {
            let starting =
                scope.spawn(|| Slow::builder(begun.clone(), go.clone()).registered("slow").spawn().unwrap());
            begun.pass();
            assert_eq!(names::register("slow", &db), Err(NameError::Starting { name: "slow".into() }));
            go.open();
            let slow = starting.join().unwrap();
            assert_eq!(names::lookup::<Slow>("slow"), Ok(slow));
        });
        begun.remove();
        go.remove();
    });
}

/// Gets or starts, and notes whether it had to start.
#[actor]
struct Seeker;

#[actor]
impl Seeker {
    /// Whether it has started it, and its pid.
    fn seek(&self, go: Latch) -> (bool, u32) {
        go.pass();
        let mut built = false;
        let build = || {
            built = true;
            Db { value: 0 }.builder()
        };
        let db = names::get_or_spawn("db", build).unwrap();
        (built, db.pid().unwrap())
    }

    /// The first few starts fail.
    fn seek_flaky(&self, failures: Vec<Latch>) -> Result<u32, String> {
        let flaky = names::get_or_spawn("flaky", || Flaky::builder(failures));
        flaky.map(|flaky| flaky.pid().unwrap()).map_err(|error| error.to_string())
    }

    fn seek_slow(&self, begun: Latch, go: Latch) -> u32 {
        names::get_or_spawn("slow", || Slow::builder(begun, go)).unwrap().pid().unwrap()
    }
}

/// Fails as long as there is a failure left.
#[actor]
struct Flaky;

#[actor]
impl Flaky {
    #[init]
    fn new(failures: Vec<Latch>) -> Result<Flaky, String> {
        match failures.iter().find(|failure| failure.open_first()) {
            Some(_) => Err("not yet".to_owned()),
            None => Ok(Flaky),
        }
    }
}

#[test]
fn of_10_processes_that_get_or_spawn_exactly_one_spawns() {
    alone(|| {
        let seekers: Vec<_> = (0..10).map(|_| Seeker.spawn().unwrap()).collect();
        for round in 0..5 {
            let go = Latch::new(&format!("go {round}"));
            let seeking: Vec<_> = seekers.iter().map(|seeker| seeker.seek(go.clone())).collect();
            go.open();
            let found: Vec<(bool, u32)> = seeking.into_iter().map(|reply| reply.wait().unwrap()).collect();
            assert_eq!(found.iter().filter(|(built, _)| *built).count(), 1, "{found:?}");
            assert!(found.iter().all(|(_, pid)| *pid == found[0].1), "{found:?}");
            let db = names::get_or_spawn("db", || -> phalanx::ActorBuilder<Db> { unreachable!() }).unwrap();
            assert_eq!(db.pid().unwrap(), found[0].1);
            db.kill().unwrap();
            db.join();
            go.remove();
        }
    });
}

#[test]
fn when_a_start_fails_the_next_one_tries() {
    alone(|| {
        let seekers: Vec<_> = (0..10).map(|_| Seeker.spawn().unwrap()).collect();
        let failures: Vec<Latch> = (0..4).map(|number| Latch::new(&format!("failure {number}"))).collect();
        let seeking: Vec<_> = seekers.iter().map(|seeker| seeker.seek_flaky(failures.clone())).collect();
        let outcomes: Vec<_> = seeking.into_iter().map(|reply| reply.wait()).collect();
        let pid = names::lookup::<Flaky>("flaky").unwrap().pid().unwrap();
        let failed = outcomes.iter().filter(|outcome| match outcome {
            Ok(found) => {
                assert_eq!(*found, pid);
                false
            }
            Err(error) => {
                assert!(error.to_string().contains("not yet"), "{error}");
                true
            }
        });
        assert_eq!(failed.count(), 4);
        failures.into_iter().for_each(Latch::remove);
    });
}

#[test]
fn when_a_process_dies_that_was_starting_one_the_next_one_starts_it() {
    alone(|| {
        let [first, second] = [(); 2].map(|()| Seeker.spawn().unwrap());
        let (begun, never) = (Latch::new("begun"), Latch::new("never"));
        let lost = first.seek_slow(begun.clone(), never);
        begun.pass();
        let (second_begun, go) = (Latch::new("second"), Latch::new("go"));
        let found = second.seek_slow(second_begun.clone(), go.clone());
        go.open();
        assert!(!second_begun.is_open());
        first.kill().unwrap();
        let pid = found.wait().unwrap();
        assert!(lost.wait().is_err() && second_begun.is_open());
        assert_eq!(names::lookup::<Slow>("slow").unwrap().pid().unwrap(), pid);
        [begun, second_begun, go].into_iter().for_each(Latch::remove);
    });
}

#[test]
fn what_get_or_spawn_builds_may_be_registered_by_the_same_name_or_another() {
    alone(|| {
        let same = names::get_or_spawn("a", || Db { value: 0 }.builder().registered("a")).unwrap();
        assert_eq!(names::lookup::<Db>("a"), Ok(same));
        let both = names::get_or_spawn("b", || Db { value: 0 }.builder().registered("c")).unwrap();
        assert_eq!(names::lookup::<Db>("b"), Ok(both.clone()));
        assert_eq!(names::lookup::<Db>("c"), Ok(both));
        let error = names::get_or_spawn("d", || Db { value: 0 }.builder().registered("c")).unwrap_err();
        assert!(is_already_started(&error), "{error}");
        assert_eq!(names::lookup::<Db>("d"), not_found("d"));
    });
}

#[test]
fn a_build_that_panics_frees_the_name() {
    alone(|| {
        let build = || -> phalanx::ActorBuilder<Db> { panic!("on purpose") };
        let panicked = std::panic::catch_unwind(|| names::get_or_spawn("db", build));
        assert!(panicked.is_err());
        let db = names::get_or_spawn("db", || Db { value: 1 }.builder()).unwrap();
        assert_eq!(db.add(1).wait(), Ok(2));
    });
}

#[test]
fn a_spawner_killed_at_any_moment_keeps_no_name() {
    alone(|| {
        for _ in 0..20 {
            let spawner = client();
            let starting = spawner.start("db".into());
            spawner.kill().unwrap();
            let died = starting.wait().is_err();
            spawner.join();
            // Its children go with it.
            eventually("the name to be free", EVENT_TIMEOUT, || names::lookup::<Db>("db").is_err());
            let db = Db { value: 0 }.builder().registered("db").spawn().unwrap();
            assert!(died || db.is_alive());
            db.kill().unwrap();
            db.join();
        }
    });
}
