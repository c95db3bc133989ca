//! Programs with a tree of declared supervisors.

use std::time::Duration;

use phalanx::Restart;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, processes, until};

use crate::actors::{Stubborn, Witness, forever, later};

struct Tree {
    top: SupervisorRef,
    workers: Vec<ActorRef<Witness>>,
}

/// `top` with `a`, `middle` (with `b`, `low` (with `c`) and `d`), and `e`.
fn tree() -> phalanx::Result<Tree> {
    let mut workers = Vec::new();
    let mut worker = |name: &str| {
        let worker = Witness.builder().name(name).reserve()?;
        workers.push(worker.actor_ref());
        Ok::<_, SpawnError>(worker)
    };
    let a = worker("a")?;
    let b = worker("b")?;
    let low = Supervisor::one_for_one().name("low").child("c", worker("c")?);
    let middle = Supervisor::rest_for_one().name("middle").child("b", b).child("low", low);
    let middle = middle.child("d", worker("d")?);
    let top = Supervisor::one_for_all().name("top").child("a", a).child("middle", middle);
    let top = top.child("e", worker("e")?).start()?;
    Ok(Tree { top, workers })
}

/// Leaves messages in all mailboxes; a spawned actor is older than the tree, another one is younger.
#[phalanx::main]
pub(crate) fn ends() -> phalanx::Result<()> {
    let older = Witness.builder().name("older").spawn()?;
    let tree = tree()?;
    let younger = Witness.builder().name("younger").spawn()?;
    for number in 0..5 {
        for worker in tree.workers.iter().chain([&older, &younger]) {
            worker.note(number)?;
        }
    }
    println!("main ends");
    Ok(())
}

/// A tree that is a daemon ends first, although a task keeps the program.
#[phalanx::main]
pub(crate) fn daemon() -> phalanx::Result<()> {
    let actor = Witness.builder().name("actor").spawn()?;
    let worker = Witness.builder().name("worker").reserve()?;
    let worker_ref = worker.actor_ref();
    let inner = Supervisor::one_for_one().name("inner").child("worker", worker);
    Supervisor::one_for_one().name("daemon").daemon(true).child("inner", inner).start()?;
    let outlives = |(worker, actor): (ActorRef<Witness>, ActorRef<Witness>)| {
        worker.join();
        let said = actor.say("the task goes on".into()).wait();
        assert!(said.is_ok());
    };
    Process::spawn(outlives, (worker_ref, actor))?;
    println!("main ends");
    Ok(())
}

/// A daemon among the children of a supervisor that is none.
#[phalanx::main]
pub(crate) fn daemon_child() -> phalanx::Result<()> {
    let a = Witness.builder().name("a");
    let daemon = Witness.builder().name("daemon").daemon(true);
    let b = Witness.builder().name("b");
    Supervisor::one_for_one().child("a", a).child("daemon", daemon).child("b", b).start()?;
    println!("main ends");
    Ok(())
}

/// Tasks among the children of a supervisor: one is a piece of work, the other would begin again for ever.
#[phalanx::main]
pub(crate) fn tasks() -> phalanx::Result<()> {
    let a = Witness.builder().name("a");
    let work = later::builder("the work is done".into()).restart(Restart::Transient);
    let inner =
        Supervisor::one_for_one().name("inner").child("work", work).child("service", forever::builder());
    Supervisor::one_for_one().child("a", a).child("inner", inner).start()?;
    println!("main ends");
    Ok(())
}

/// One worker does not stop.
#[phalanx::main]
pub(crate) fn hangs() -> phalanx::Result<()> {
    let stubborn = Stubborn.builder().shutdown(Duration::from_millis(300));
    let worker = Witness.builder().name("worker");
    let inner = Supervisor::one_for_one().name("inner").child("worker", worker).child("stubborn", stubborn);
    Supervisor::one_for_one().child("inner", inner).start()?;
    println!("main ends");
    Ok(())
}

/// One worker cannot be started any more, for a long time.
#[phalanx::main]
pub(crate) fn restarting() -> phalanx::Result<()> {
    let Tree { top, workers } = tree()?;
    let waits = Witness.builder().name("waits").backoff(FOREVER, FOREVER).reserve()?;
    let waits_ref = waits.actor_ref();
    top.start_child("waits", Supervisor::one_for_one().child("waits", waits))?;
    processes::kill(waits_ref.pid()?);
    until("its end", EVENT_TIMEOUT, || waits_ref.pid().is_err().then_some(()));
    drop(workers);
    println!("main ends");
    Ok(())
}

/// Says which process it is when it is ready, then waits for its tree.
#[phalanx::main]
pub(crate) fn interrupted() -> phalanx::Result<()> {
    let Tree { top, .. } = tree()?;
    println!("{}", std::process::id());
    let reason = top.join();
    eprintln!("main goes on: {reason}");
    Ok(())
}

/// As `interrupted`, with a worker that does not stop.
#[phalanx::main]
pub(crate) fn interrupted_hanging() -> phalanx::Result<()> {
    let stubborn = Stubborn.builder().shutdown(FOREVER);
    let top = Supervisor::one_for_one().child("stubborn", stubborn).start()?;
    println!("{}", std::process::id());
    top.join();
    Ok(())
}

/// Waits to be killed; things crash and are restarted all the time.
#[phalanx::main]
pub(crate) fn crashing() -> phalanx::Result<()> {
    let Tree { top, workers } = tree()?;
    let frail = Supervisor::one_for_one().name("frail").intensity(1_000_000, Duration::from_secs(1));
    let (mut frail, mut refs) = (Some(frail), Vec::new());
    for number in 0..4 {
        let worker = Witness.builder().name(format!("frail-{number}")).reserve()?;
        refs.push(worker.actor_ref());
        frail = frail.map(|frail| frail.child(format!("{number}"), worker));
    }
    if let Some(frail) = frail {
        top.start_child("frail", frail)?;
    }
    println!("{}", std::process::id());
    loop {
        for worker in refs.iter().chain(&workers[..0]) {
            if let Ok(pid) = worker.pid() {
                drop(worker.leave_a_stray());
                processes::kill(pid);
            }
        }
    }
}
