//! Names and groups: which actor is found, by which process, and for how long.

mod deaths;
mod groups;
mod lookups;
mod rubbish;
mod starts;
mod trees;

use std::fs;

use phalanx::prelude::*;
use phalanx::{NameError, SpawnError, names};
use phalanx_tests::Latch;

/// Is found.
#[actor]
struct Db {
    value: u64,
}

#[actor]
impl Db {
    fn add(&mut self, more: u64) -> u64 {
        self.value += more;
        self.value
    }

    /// Looks itself up, and asks itself.
    fn ask_itself(&self, name: String) -> String {
        names::lookup::<Db>(&name).unwrap().add(1).wait().unwrap_err().to_string()
    }

    #[tell]
    fn wait_for(&self, latch: Latch) {
        latch.pass();
    }
}

/// Is something else.
#[actor]
struct Other;

#[actor]
impl Other {}

/// Is elsewhere.
#[actor]
struct Client {
    kept: Vec<ActorRef<Db>>,
}

#[actor]
impl Client {
    /// The pid of the actor with this name.
    fn find(&self, name: String) -> Result<u32, String> {
        let found = names::lookup::<Db>(&name).map_err(|error| error.to_string())?;
        found.pid().map_err(|error| error.to_string())
    }

    fn add(&self, name: String, more: u64) -> u64 {
        names::lookup::<Db>(&name).unwrap().add(more).wait().unwrap()
    }

    fn register(&self, name: String, db: ActorRef<Db>) -> Result<(), String> {
        names::register(&name, &db).map_err(|error| error.to_string())
    }

    /// Starts one below itself, and gives it this name.
    fn start(&mut self, name: String) -> Result<u32, String> {
        let db = Db { value: 0 }.builder().registered(name).spawn().map_err(|error| error.to_string())?;
        self.kept.push(db.clone());
        db.pid().map_err(|error| error.to_string())
    }

    /// Waits for the death of an actor; whether its name is free then, and can be given to another.
    fn name_after_death(&self, name: String, db: ActorRef<Db>, heir: ActorRef<Db>) -> Result<(), String> {
        db.monitor().recv();
        match names::lookup::<Db>(&name) {
            Err(NameError::NotFound { .. }) => {}
            other => return Err(format!("{other:?}")),
        }
        names::register(&name, &heir).map_err(|error| error.to_string())
    }
}

fn db(value: u64) -> ActorRef<Db> {
    Db { value }.spawn().unwrap()
}

fn client() -> ActorRef<Client> {
    Client { kept: Vec::new() }.spawn().unwrap()
}

fn not_found<T>(name: &str) -> Result<T, NameError> {
    Err(NameError::NotFound { name: name.to_owned() })
}

/// The names of the threads of this process.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok()).collect()
}

fn keeps_names() -> bool {
    threads().iter().any(|name| name.trim_end() == "phalanx-names")
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn is_already_started(error: &SpawnError) -> bool {
    matches!(error, SpawnError::AlreadyStarted { .. })
}
