//! Groups, from joining to dying.

use phalanx::prelude::*;
use phalanx::{Group, NameError};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};

use super::{Db, Latch, Other, db};

#[test]
fn a_group_without_members_is_no_error() {
    alone(|| {
        let nobody = Group::<Db>::open("nobody");
        assert_eq!(nobody.members(), Ok(Vec::new()));
        assert_eq!(nobody.pick(), Ok(None));
        assert_eq!(nobody.broadcast(|_| ()), Ok(Vec::new()));
        let db = db(0);
        assert_eq!(nobody.leave(&db), Ok(false));
        assert_eq!(nobody.members(), Ok(Vec::new()));
    });
}

/// Looks at a group from elsewhere.
#[task]
fn sum(group: String) -> u64 {
    let asked = Group::<Db>::open(&group).broadcast(|db| db.add(0)).unwrap();
    asked.into_iter().map(|(_, reply)| reply.wait().unwrap()).sum()
}

#[task]
fn join(group: String, db: ActorRef<Db>) -> bool {
    Group::open(&group).join(&db).unwrap()
}

#[test]
fn members_are_the_same_in_every_process_and_in_the_order_of_joining() {
    alone(|| {
        let group = Group::<Db>::open("group");
        let dbs: Vec<_> = (0..65).map(db).collect();
        for db in dbs.iter().rev() {
            assert_eq!(group.join(db), Ok(true));
        }
        assert!(group.members().unwrap().iter().eq(dbs.iter().rev()));
        assert_eq!(sum::spawn("group".into()).unwrap().join(), Ok((0..65).sum()));
        // As a member, and behind all others again.
        assert_eq!(group.join(&dbs[64]), Ok(false));
        assert_eq!(group.leave(&dbs[64]), Ok(true));
        assert!(join::spawn("group".into(), dbs[64].clone()).unwrap().join().unwrap());
        let members = group.members().unwrap();
        assert_eq!((&members[0], &members[64]), (&dbs[63], &dbs[64]));
        // Names and groups have nothing to do with each other.
        assert!(phalanx::names::lookup::<Db>("group").is_err());
    });
}

#[test]
fn a_broadcast_reaches_all_whoever_is_dead_or_full() {
    alone(|| {
        let (latch, group) = (Latch::new("latch"), Group::<Db>::open("group"));
        let dbs: Vec<_> = (0..4).map(|value| Db { value }.builder().mailbox(1).spawn().unwrap()).collect();
        for db in &dbs {
            group.join(db).unwrap();
        }
        // One is busy, with a full mailbox; one dies before it is told, and one while the others are.
        dbs[1].wait_for(latch.clone()).unwrap();
        eventually("the message in progress", EVENT_TIMEOUT, || dbs[1].depth() == 0);
        dbs[1].wait_for(latch.clone()).unwrap();
        dbs[0].kill().unwrap();
        dbs[0].join();
        let sent = group.broadcast(|db| {
            if *db == dbs[2] {
                dbs[2].kill().unwrap();
                dbs[2].join();
            }
            db.try_add(1)
        });
        let mut sent = sent.unwrap().into_iter();
        let (full, dead, well) = (sent.next().unwrap(), sent.next().unwrap(), sent.next().unwrap());
        assert!(sent.next().is_none());
        assert_eq!([&full.0, &dead.0, &well.0], [&dbs[1], &dbs[2], &dbs[3]]);
        assert!(matches!(full.1.unwrap_err().error, SendError::Full(_)));
        assert!(matches!(dead.1.unwrap_err().error, SendError::Gone(_)));
        assert_eq!(well.1.unwrap().wait(), Ok(4));
        latch.open();
        assert_eq!(dbs[1].add(1).wait(), Ok(2));
        latch.remove();
    });
}

#[test]
fn picks_go_round_although_members_die_and_join() {
    alone(|| {
        let group = Group::<Db>::open("group");
        let dbs: Vec<_> = (0..3).map(db).collect();
        for db in &dbs {
            group.join(db).unwrap();
        }
        let pick = || group.pick().unwrap().unwrap();
        assert!((0..7).map(|_| pick()).eq([0, 1, 2, 0, 1, 2, 0].map(|at| dbs[at].clone())));
        dbs[1].kill().unwrap();
        dbs[1].join();
        let late = db(3);
        group.join(&late).unwrap();
        assert!((0..4).map(|_| pick()).eq([&dbs[2], &late, &dbs[0], &dbs[2]].map(Clone::clone)));
    });
}

#[test]
fn a_group_has_one_type_for_as_long_as_it_has_members() {
    alone(|| {
        let (dbs, others) = (Group::<Db>::open("group"), Group::<Other>::open("group"));
        let (db, other) = (db(0), Other.spawn().unwrap());
        dbs.join(&db).unwrap();
        let errors = [
            others.join(&other).unwrap_err(),
            others.members().unwrap_err(),
            others.pick().unwrap_err(),
            others.broadcast(|_| ()).unwrap_err(),
        ];
        for error in errors {
            let NameError::WrongType { name, is, asked } = &error else { panic!("{error}") };
            assert_eq!(name, "group");
            assert!(is.ends_with("names::Db") && asked.ends_with("names::Other"), "{error}");
        }
        assert_eq!(others.leave(&other), Ok(false));
        db.kill().unwrap();
        db.join();
        assert_eq!(others.join(&other), Ok(true));
        assert_eq!(others.members(), Ok(vec![other]));
    });
}

#[test]
fn members_die_while_others_join_and_ask() {
    alone(|| {
        let group = Group::<Db>::open("group");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let group = group.clone();
                scope.spawn(move || {
                    for value in 0..15 {
                        let db = db(value);
                        group.join(&db).unwrap();
                        assert!(group.members().unwrap().contains(&db));
                        db.kill().unwrap();
                        db.join();
                        assert!(!group.members().unwrap().contains(&db));
                    }
                });
            }
        });
        assert_eq!(group.members(), Ok(Vec::new()));
    });
}
