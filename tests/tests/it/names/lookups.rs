//! Giving names, finding by name, and taking names away.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{ExitReason, NameError, names};
use phalanx_tests::{EVENT_TIMEOUT, alone, processes};

use super::{Db, Latch, Other, client, db, keeps_names, not_found};

#[test]
fn a_program_that_uses_no_names_has_no_thread_for_them() {
    alone(|| {
        let (client, db) = (client(), db(1));
        assert_eq!(db.add(1).wait(), Ok(2));
        assert!(!keeps_names());
        // The first to ask is not the program.
        assert!(client.find("db".into()).wait().is_err());
        assert!(keeps_names());
        names::register("db", &db).unwrap();
        assert_eq!(client.find("db".into()).wait(), Ok(db.pid().unwrap()));
    });
}

#[test]
fn a_program_without_a_tree_has_nobody_by_name() {
    alone(|| {
        assert_eq!(names::lookup::<Db>("db"), not_found("db"));
        assert_eq!(names::unregister("db"), Ok(false));
        assert_eq!(names::registered(), Ok(Vec::new()));
    });
}

#[test]
fn a_name_is_the_same_actor_everywhere() {
    alone(|| {
        let (db, client) = (db(1), client());
        names::register("db", &db).unwrap();
        assert_eq!(names::lookup::<Db>("db"), Ok(db.clone()));
        assert_eq!(client.add("db".into(), 1).wait(), Ok(2));
        assert_eq!(db.add(1).wait(), Ok(3));
        let elsewhere = Process::spawn(|()| names::lookup::<Db>("db").unwrap().add(1).wait().unwrap(), ());
        assert_eq!(elsewhere.unwrap().join(), Ok(4));
        let found = names::lookup::<Db>("db").unwrap();
        assert_eq!((found.name(), found.id(), found.daemon()), ("Db", db.id(), false));
    });
}

#[test]
fn an_unknown_name_is_not_found_and_is_named() {
    alone(|| {
        let client = client();
        assert_eq!(names::lookup::<Db>("nobody"), not_found("nobody"));
        let error = client.find("nobody".into()).wait().unwrap_err().to_string();
        assert!(error.contains("no actor is registered as `nobody`"), "{error}");
    });
}

#[test]
fn a_name_that_is_taken_says_whose_it_is_and_stays_as_it_was() {
    alone(|| {
        let (one, two, client) = (db(1), db(2), client());
        names::register("db", &one).unwrap();
        let pid = one.pid().unwrap();
        let taken = Err(NameError::AlreadyRegistered { name: "db".into(), pid });
        assert_eq!(names::register("db", &two), taken);
        assert_eq!(names::register("db", &one), taken);
        let error = client.register("db".into(), two).wait().unwrap_err().to_string();
        assert!(error.contains("`db`") && error.contains(&pid.to_string()), "{error}");
        assert_eq!(names::lookup::<Db>("db"), Ok(one));
    });
}

#[test]
fn an_actor_of_another_type_is_a_typed_error_that_names_both() {
    alone(|| {
        names::register("other", &Other.spawn().unwrap()).unwrap();
        let Err(NameError::WrongType { name, is, asked }) = names::lookup::<Db>("other") else { panic!() };
        assert_eq!(name, "other");
        assert!(is.ends_with("names::Other") && asked.ends_with("names::Db"), "{is}, {asked}");
        let error = names::get_or_spawn("other", || Db { value: 0 }.builder()).unwrap_err();
        assert!(matches!(&error, SpawnError::Name { error: NameError::WrongType { .. }, .. }), "{error:?}");
    });
}

#[test]
fn an_actor_can_have_several_names_and_lose_them() {
    alone(|| {
        let db = db(1);
        for name in ["b", "a", "c"] {
            names::register(name, &db).unwrap();
        }
        let listed = || names::registered().unwrap();
        let known: Vec<_> = listed().into_iter().map(|known| (known.name, known.pid)).collect();
        let pid = db.pid().unwrap();
        assert_eq!(known, ["a", "b", "c"].map(|name| (name.to_owned(), pid)));
        assert!(listed().iter().all(|known| known.type_name.ends_with("names::Db")));
        assert_eq!(names::unregister("b"), Ok(true));
        assert_eq!(names::unregister("b"), Ok(false));
        assert_eq!(names::lookup::<Db>("b"), not_found("b"));
        assert_eq!(names::lookup::<Db>("c"), Ok(db.clone()));
        assert!(db.is_alive());
        db.kill().unwrap();
        db.join();
        assert_eq!(listed(), []);
    });
}

#[test]
fn names_have_1_to_255_bytes() {
    alone(|| {
        let db = db(1);
        for wrong in [String::new(), "x".repeat(256), "ä".repeat(1 << 20)] {
            let errors = [
                names::register(&wrong, &db).unwrap_err(),
                names::lookup::<Db>(&wrong).unwrap_err(),
                names::unregister(&wrong).unwrap_err(),
                phalanx::Group::open(&wrong).join(&db).unwrap_err(),
            ];
            for error in errors {
                assert!(matches!(error, NameError::BadName { .. }), "{error}");
                assert!(wrong.starts_with(error.name()) && error.name().len() <= 255);
            }
            let error = Db { value: 0 }.builder().registered(&wrong).spawn().unwrap_err();
            assert!(matches!(error, SpawnError::Name { error: NameError::BadName { .. }, .. }), "{error}");
        }
        for right in ["x".repeat(255), "with \0 and \n".to_owned(), " ".to_owned()] {
            names::register(&right, &db).unwrap();
            assert_eq!(names::lookup::<Db>(&right), Ok(db.clone()));
        }
    });
}

#[test]
fn an_actor_that_asks_itself_by_name_is_told_that_it_cannot() {
    alone(|| {
        let db = Db { value: 0 }.builder().registered("db").spawn().unwrap();
        let told = db.ask_itself("db".into()).wait().unwrap();
        assert!(told.contains("`add` of actor `Db`") && told.contains("cannot wait for itself"), "{told}");
        assert_eq!(db.add(1).wait(), Ok(1));
    });
}

/// Leaves something behind when it is stopped.
#[actor]
struct Tidy {
    left: Latch,
}

#[actor]
impl Tidy {
    #[on_stop]
    fn tidy(&mut self) {
        std::thread::sleep(Duration::from_millis(100));
        self.left.open();
    }
}

#[test]
fn an_actor_is_stopped_by_name() {
    alone(|| {
        let left = Latch::new("left");
        let tidy = Tidy { left: left.clone() }.builder().registered("tidy").spawn().unwrap();
        let reason = names::lookup::<Tidy>("tidy").unwrap().stop(EVENT_TIMEOUT).unwrap();
        assert!(matches!(reason, ExitReason::Stopped(_)), "{reason}");
        assert!(left.is_open());
        left.remove();
        assert_eq!(names::lookup::<Tidy>("tidy"), not_found("tidy"));
        assert!(matches!(tidy.stop(EVENT_TIMEOUT), Err(SendError::Gone(_))));
    });
}

/// Asks while no supervisor can reply.
#[task]
fn ask_a_stopped_program(program: u32) -> (String, Duration) {
    processes::signal("STOP", i64::from(program));
    let start = std::time::Instant::now();
    let error = names::lookup::<Db>("db").unwrap_err().to_string();
    let passed = start.elapsed();
    processes::signal("CONT", i64::from(program));
    (error, passed)
}

#[test]
fn a_program_that_does_not_answer_is_waited_for_5_seconds() {
    alone(|| {
        let asking = ask_a_stopped_program::spawn(std::process::id()).unwrap();
        let (error, passed) = asking.join().unwrap();
        assert!(error.contains("`db`") && error.contains("no reply within 5s"), "{error}");
        assert!(passed >= Duration::from_secs(5) && passed < Duration::from_secs(8), "{passed:?}");
        assert_eq!(names::lookup::<Db>("db"), not_found("db"));
    });
}
