//! What a Rust programmer expects of types: which traits they have.

use std::collections::HashSet;
use std::fmt::{Debug, Display};
use std::hash::Hash;

use phalanx::command::Command;
use phalanx::pool::TaskHandle;
use phalanx::prelude::*;
use phalanx::store::Counter;
use phalanx::sync::{Barrier, Event, Lock, RwLock, Semaphore, SyncError};
use phalanx::{pool, sync, *};
use phalanx_tests::alone;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[actor]
struct Echo;

#[actor]
impl Echo {
    fn echo(&self, text: String) -> String {
        text
    }
}

/// These words mean what they mean in the standard library, also beside everything that the root of the crate
/// exports: if it had one of them, the word would be ambiguous here.
#[allow(dead_code, unused_imports, reason = "it is compiled, that is all")]
mod words {
    use std::cell::*;
    use std::collections::*;
    use std::process::*;
    use std::sync::*;

    use phalanx::*;

    type Words =
        (Cell<u8>, Command, Output, Stdio, Barrier, RwLock<u8>, Condvar, HashMap<u8, u8>, BTreeSet<u8>);
}

/// Can be handed to any thread, and shown while looking for a fault.
fn shared<T: Send + Sync + Debug>() {}

/// Is a key, and can be sent to another process.
fn handle<T: Send + Sync + Debug + Clone + Eq + Hash + Serialize + DeserializeOwned>() {}

/// Is an error like any other, and can be passed on to another process.
fn error<T>()
where
    T: std::error::Error + Send + Sync + Clone + Eq + Hash + Serialize + DeserializeOwned + 'static,
{
}

fn value<T: Send + Sync + Debug + Clone + Eq + Hash>() {}

fn shown<T: Display>() {}

#[test]
fn refs_and_handles_are_keys_and_travel() {
    handle::<ActorRef<Echo>>();
    handle::<AnyRef>();
    handle::<SupervisorRef>();
    handle::<ActorPool<Echo>>();
    handle::<Queue<String>>();
    handle::<Store>();
    handle::<Lock<Vec<f64>>>();
    handle::<RwLock<f64>>();
    handle::<Semaphore>();
    handle::<Event>();
    handle::<Barrier>();
    handle::<Counter>();
    handle::<phalanx::store::Cell<f64>>();
    handle::<phalanx::store::List<f64>>();
    handle::<phalanx::store::Map<String, f64>>();
    handle::<phalanx::store::Set<String>>();
}

#[test]
fn errors_can_be_passed_on_to_another_process() {
    error::<CallError<String>>();
    error::<SendError>();
    error::<SpawnError>();
    error::<SpecError>();
    error::<NameError>();
    error::<SupervisorError>();
    error::<QueueError>();
    error::<StoreError>();
    error::<SyncError>();
    error::<PipeError>();
    error::<pool::TaskError<String>>();
    error::<pool::PoolError>();
}

#[test]
fn what_is_known_of_an_end_is_a_value() {
    value::<ExitReason>();
    value::<StoppedBy>();
    value::<Down>();
    value::<ActorId>();
    value::<At>();
    value::<pool::TaskAt>();
    value::<pool::WorkerAt>();
    value::<sync::Breakage>();
    value::<ChildInfo>();
    value::<ChildCounts>();
    value::<Child>();
    shown::<ExitReason>();
    shown::<Down>();
    shown::<At>();
    shown::<Child>();
    shown::<Node>();
    shown::<ActorRef<Echo>>();
    shown::<SupervisorRef>();
}

#[test]
fn all_can_be_used_from_any_thread() {
    shared::<Pool>();
    shared::<TaskHandle<String>>();
    shared::<Process<String>>();
    shared::<Monitor>();
    shared::<Reply<String>>();
    shared::<Group<Echo>>();
    shared::<ActorBuilder<Echo>>();
    shared::<ProcessBuilder<String>>();
    shared::<SupervisorBuilder>();
    shared::<QueueBuilder<String>>();
    shared::<Command>();
    shared::<ChildSpec>();
    shared::<Reserved<ActorRef<Echo>>>();
    shared::<pool::PoolBuilder>();
    shared::<TaskDef<String, String>>();
}

#[test]
#[allow(clippy::mutable_key_type, reason = "a ref is compared and hashed by its id, which never changes")]
fn a_ref_is_the_same_key_wherever_it_comes_from() {
    alone(|| {
        let (one, two) = (Echo.spawn().unwrap(), Echo.spawn().unwrap());
        let known: HashSet<_> = [one.clone(), two.clone(), one.clone(), two].into();
        assert_eq!(known.len(), 2);
        assert!(known.contains(&one) && one.echo("here".into()).wait().unwrap() == "here");
    });
}

#[test]
fn a_child_is_shown_by_its_name_and_process() {
    alone(|| {
        let one = Echo.builder().name("one\n").daemon(true).spawn();
        assert!(one.is_err(), "a name has no control characters");
        let one = Echo.builder().name("one").daemon(true).spawn().unwrap();
        let shown = phalanx::children()[0].to_string();
        assert_eq!(shown, format!("`one` (process {}, daemon)", one.pid().unwrap()));
    });
}
