//! What may stand in a declaration besides actors and supervisors, and families of children.

use phalanx::prelude::*;
use phalanx::{Dynamic, Partitioned};
use phalanx_tests::{RESTART_WINDOW, alone};
use serde::{Deserialize, Serialize};

use super::{Billing, Db, billing, comm, db};

#[supervisor]
struct Plant {
    #[child(shutdown = "3s")]
    workers: Dynamic<Db>,
    #[child(restart = temporary)]
    boiler: phalanx::command::Command,
    offices: Dynamic<Billing>,
}

fn plant() -> PlantArgs {
    let boiler = phalanx::command::Command::new("sleep").arg("1000");
    let offices = Supervisor::dynamic();
    PlantArgs { workers: Supervisor::dynamic().max_children(2).intensity(9, RESTART_WINDOW), boiler, offices }
}

#[test]
fn dynamic_supervisors_and_commands_can_be_fields() {
    alone(|| {
        let plant = Plant::start(plant()).unwrap();
        let worker = plant.workers.add("a", db()).unwrap();
        plant.workers.start_child("b", db().builder().name("bee")).unwrap();
        assert!(matches!(plant.workers.add("c", db()), Err(SpawnError::MaxChildren { .. })));
        let _ = worker.end(1).wait();
        assert_eq!(worker.len().wait().unwrap(), 0);
        let office = plant.offices.add("one", billing()).unwrap();
        assert_eq!(office.archive.len().wait().unwrap(), 0);
        assert!(plant.boiler.is_alive());
        assert_eq!(plant.workers.name(), "workers");
        let error =
            Plant::start(PlantArgs { workers: Supervisor::one_for_one(), ..self::plant() }).unwrap_err();
        assert!(matches!(&error, SpawnError::Option { actor, .. } if actor == "workers"), "{error}");
    });
}

#[supervisor(strategy = dynamic, max_children = 1)]
struct Empty;

#[test]
fn a_supervisor_may_be_declared_without_children() {
    alone(|| {
        let empty = Empty::start(EmptyArgs {}).unwrap();
        let db = empty.start_child("db", db().builder()).unwrap();
        assert_eq!(db.len().wait().unwrap(), 0);
    });
}

mod elsewhere {
    use phalanx::prelude::*;

    use super::Db;

    /// Declared in another module.
    #[supervisor]
    pub(super) struct Odd {
        #[cfg(any())]
        never: Nothing,
        /// A word of the language.
        pub(super) r#type: Db,
        #[cfg(unix)]
        #[child(name = "in time")]
        pub(super) always: Db,
        pub(super) frame: phalanx::Dynamic<Odd>,
    }
}

#[test]
fn fields_may_be_under_cfg_and_have_any_name() {
    alone(|| {
        let args = || elsewhere::OddArgs { r#type: db(), always: db(), frame: Supervisor::dynamic() };
        let odd = elsewhere::Odd::start(args()).unwrap();
        let ids: Vec<_> = odd.which_children().unwrap().into_iter().map(|child| child.id).collect();
        assert_eq!(ids, ["type", "always", "frame"]);
        assert_eq!((odd.r#type.name(), odd.always.name()), ("type", "in time"));
        // A tree of its own kind below it.
        let below: elsewhere::OddRef = odd.frame.add("below", args()).unwrap();
        assert_eq!(below.always.len().wait().unwrap(), 0);
    });
}

#[actor]
struct Router {
    routes: Partitioned<Db>,
}

#[actor]
impl Router {
    fn pid_of(&self, key: String) -> u32 {
        self.routes.of(&key).pid().unwrap()
    }
}

#[derive(Hash, Serialize, Deserialize)]
struct Key(u8, String);

#[test]
fn partitions_are_found_by_key_from_everywhere() {
    alone(|| {
        let db = Supervisor::partitioned("words", 4, |_| db().builder()).start().unwrap();
        assert_eq!(db.all().len(), 4);
        let names: Vec<_> = db.all().iter().map(|part| comm(part.pid().unwrap())).collect();
        assert_eq!(names, ["words-0", "words-1", "words-2", "words-3"]);
        let router = Router { routes: db.clone() }.spawn().unwrap();
        let mut used = std::collections::BTreeSet::new();
        for key in (0..40).map(|number| format!("key {number}")) {
            let part = db.of(&key);
            assert_eq!(part, db.of(key.as_str()));
            assert_eq!(router.pid_of(key).wait().unwrap(), part.pid().unwrap());
            used.insert(part.pid().unwrap());
        }
        assert_eq!(used.len(), 4);
        let key = Key(1, "a".into());
        let before = db.of(&key).add("kept with its key".into()).wait().unwrap();
        let _ = db.of(&key).end(1).wait();
        assert_eq!((before, db.of(&key).len().wait().unwrap()), (1, 0));
        assert_eq!(db.which_children().unwrap().len(), 4);
        let error = Supervisor::partitioned("none", 0, |_| self::db().builder()).start().unwrap_err();
        assert!(matches!(error, SpawnError::Option { .. }), "{error}");
    });
}
