//! Names of the dead.

use phalanx::{Group, NameError, names};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};

use super::{Db, client, db, descriptors, not_found};

#[test]
fn a_name_is_free_before_any_process_hears_of_the_death() {
    alone(|| {
        let clients: Vec<_> = (0..2).map(|_| client()).collect();
        for round in 0..40 {
            let (victim, heirs) = (db(0), [db(1), db(2)]);
            names::register("a", &victim).unwrap();
            names::register("b", &victim).unwrap();
            let watching: Vec<_> = clients
                .iter()
                .zip(["a", "b"])
                .zip(&heirs)
                .map(|((client, name), heir)| {
                    client.name_after_death(name.into(), victim.clone(), heir.clone())
                })
                .collect();
            let mut monitor = victim.monitor();
            if round % 2 == 0 { victim.kill() } else { victim.terminate() }.unwrap();
            monitor.recv();
            // Their heirs may be there already, but not the dead.
            assert_ne!(names::lookup::<Db>("a"), Ok(victim.clone()));
            for watching in watching {
                watching.wait().unwrap();
            }
            assert_eq!(names::lookup::<Db>("b"), Ok(heirs[1].clone()));
            for heir in heirs {
                heir.kill().unwrap();
                heir.join();
            }
        }
    });
}

#[test]
fn a_named_actor_in_two_groups_vanishes_from_all_at_once() {
    alone(|| {
        let (victim, other) = (db(0), db(1));
        let groups = ["one", "two"].map(Group::<Db>::open);
        names::register("db", &victim).unwrap();
        for group in &groups {
            group.join(&victim).unwrap();
            group.join(&other).unwrap();
        }
        let mut monitor = victim.monitor();
        victim.kill().unwrap();
        monitor.recv();
        assert_eq!(names::lookup::<Db>("db"), not_found("db"));
        for group in &groups {
            assert_eq!(group.members(), Ok(vec![other.clone()]));
        }
    });
}

#[test]
fn a_failed_call_is_news_of_the_death_too() {
    alone(|| {
        for _ in 0..20 {
            let victim = Db { value: 0 }.builder().registered("db").spawn().unwrap();
            victim.kill().unwrap();
            while victim.add(1).wait().is_ok() {}
            assert_eq!(names::lookup::<Db>("db"), not_found("db"));
        }
    });
}

#[test]
fn a_dead_actor_gets_no_name() {
    alone(|| {
        let db = db(0);
        db.kill().unwrap();
        db.join();
        assert_eq!(names::register("db", &db), Err(NameError::Dead { name: "db".into() }));
        assert_eq!(Group::open("g").join(&db), Err(NameError::Dead { name: "g".into() }));
    });
}

#[test]
fn hundreds_of_deaths_leave_no_descriptor() {
    alone(|| {
        let group = Group::<Db>::open("group");
        // A tree is there, and its descriptors with it.
        let _bystander = db(0);
        let before = descriptors();
        for number in 0..300 {
            let db = db(0);
            // Every third name is never asked for again.
            let name = if number % 3 == 0 { format!("db {number}") } else { "db".to_owned() };
            names::register(&name, &db).unwrap();
            group.join(&db).unwrap();
            db.kill().unwrap();
            if number % 2 == 0 {
                db.join();
                assert_eq!(names::lookup::<Db>(&name), not_found(&name));
            } else if name == "db" {
                db.join();
            }
        }
        eventually("as few descriptors as before", EVENT_TIMEOUT, || descriptors() <= before);
        assert_eq!(names::registered(), Ok(Vec::new()));
        assert_eq!(group.members(), Ok(Vec::new()));
    });
}
