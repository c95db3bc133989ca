//! Names from everywhere in a tree, and over the ends of trees.

use phalanx::prelude::*;
use phalanx::{Group, names};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{Db, client, db, not_found};

#[test]
fn an_actor_below_an_actor_is_found_from_above_and_beside() {
    alone(|| {
        let (owner, other) = (client(), client());
        let pid = owner.start("deep".into()).wait().unwrap();
        assert_eq!(names::lookup::<Db>("deep").unwrap().pid().unwrap(), pid);
        assert_eq!(other.add("deep".into(), 2).wait(), Ok(2));
        assert!(other.start("deep".into()).wait().is_err());
        owner.kill().unwrap();
        owner.join();
        let deep = || names::lookup::<Db>("deep").is_err();
        eventually("the name to be free: its actor dies with its owner", EVENT_TIMEOUT, deep);
        assert!(other.start("deep".into()).wait().is_ok());
    });
}

/// A tree of tasks, each of which gives a name to an actor of its own.
#[task]
fn descend(depth: u32) -> Vec<String> {
    let name = format!("depth {depth}");
    let db = Db { value: u64::from(depth) }.builder().registered(&name).spawn().unwrap();
    Group::open("all").join(&db).unwrap();
    if depth < 4 {
        return descend::spawn(depth + 1).unwrap().join().unwrap();
    }
    Group::<Db>::open("all")
        .members()
        .unwrap()
        .iter()
        .map(|db| db.add(0).wait().unwrap().to_string())
        .collect()
}

#[test]
fn names_reach_through_a_tree_of_any_depth() {
    alone(|| {
        let seen = descend::spawn(0).unwrap().join().unwrap();
        assert_eq!(seen, ["0", "1", "2", "3", "4"]);
        // All of them ended with their tasks.
        assert_eq!(names::registered(), Ok(Vec::new()));
        assert_eq!(Group::<Db>::open("all").members(), Ok(Vec::new()));
    });
}

#[test]
fn names_go_with_a_tree_whose_root_was_killed_and_work_in_the_next_one() {
    alone(|| {
        for value in 0..3 {
            let db = Db { value }.builder().registered("db").spawn().unwrap();
            let group = Group::open("group");
            group.join(&db).unwrap();
            let client = client();
            assert_eq!(client.add("db".into(), 1).wait(), Ok(value + 1));
            processes::kill(processes::root_supervisor(std::process::id()).unwrap());
            db.join();
            assert_eq!(names::lookup::<Db>("db"), not_found("db"));
            assert_eq!(group.members(), Ok(Vec::new()));
        }
        let last = db(7);
        names::register("db", &last).unwrap();
        assert_eq!(client().add("db".into(), 1).wait(), Ok(8));
    });
}

#[test]
fn the_first_use_may_come_from_the_second_tree() {
    alone(|| {
        let first = db(0);
        processes::kill(processes::root_supervisor(std::process::id()).unwrap());
        first.join();
        let (db, client) = (db(0), client());
        client.register("db".into(), db.clone()).wait().unwrap();
        assert_eq!(names::lookup::<Db>("db"), Ok(db));
    });
}

#[test]
fn names_are_free_after_a_shutdown() {
    alone(|| {
        for _ in 0..3 {
            let db = Db { value: 0 }.builder().registered("db").spawn().unwrap();
            client().start("other".into()).wait().unwrap();
            phalanx::shutdown();
            assert!(!db.is_alive());
            assert_eq!(names::registered(), Ok(Vec::new()));
            assert_eq!(names::lookup::<Db>("other"), not_found("other"));
        }
    });
}
