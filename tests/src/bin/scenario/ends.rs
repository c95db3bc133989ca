//! How programs end that mark their end.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, eventually, processes};

use crate::actors::{Stubborn, Witness, forever, later, witness};

/// Waits for the end of the daemon, which comes with the end of `main`; then asks an actor, which is still
/// there.
#[task]
fn outlive(daemon: u32, actor: ActorRef<Witness>) {
    eventually("the daemon's end", EVENT_TIMEOUT, || !processes::exists(daemon));
    let said = actor.say("the task works with an actor".into()).wait();
    println!("{}", if said.is_ok() { "the task is done" } else { "the actor was gone" });
}

#[phalanx::main]
pub(crate) fn daemons_first() -> phalanx::Result<()> {
    let actor = witness("actor")?;
    let daemon = Witness.builder().name("daemon").daemon(true).spawn()?;
    forever::builder().daemon(true).spawn()?;
    outlive::spawn(daemon.pid()?, actor)?;
    println!("main ends");
    Ok(())
}

/// What a daemon starts ends with it, daemon or not.
#[phalanx::main]
pub(crate) fn daemon_with_children() -> phalanx::Result<()> {
    let daemon = Witness.builder().name("daemon").daemon(true).spawn()?;
    daemon.hire("child".into()).wait()?;
    daemon.employ().wait()?;
    Ok(())
}

/// Leaves messages in two mailboxes.
#[phalanx::main]
pub(crate) fn drains() -> phalanx::Result<()> {
    let (one, two) = (witness("one")?, witness("two")?);
    for number in 0..20 {
        one.note(number)?;
        two.note(number)?;
    }
    println!("main ends");
    Ok(())
}

/// A tree of depth 3.
#[phalanx::main]
pub(crate) fn ends_in_order() -> phalanx::Result<()> {
    tree()?;
    Ok(())
}

/// `first` with `a` and `b`, `b` with `x`; then `second`.
pub(crate) fn tree() -> phalanx::Result<ActorRef<Witness>> {
    let first = witness("first")?;
    first.hire("a".into()).wait()?;
    let b = first.hire("b".into()).wait()?;
    b.hire("x".into()).wait()?;
    witness("second")?;
    Ok(first)
}

#[phalanx::main]
pub(crate) fn exits() -> phalanx::Result<()> {
    tree()?;
    forever::spawn()?;
    std::process::exit(3)
}

#[phalanx::main]
pub(crate) fn fails() -> phalanx::Result<()> {
    witness("actor")?;
    Err(phalanx::Error::new("this is why"))
}

#[phalanx::main]
pub(crate) fn panics() -> phalanx::Result<()> {
    println!("{}", if cfg!(panic = "abort") { "built to abort" } else { "built to unwind" });
    witness("actor")?;
    forever::spawn()?;
    panic!("main panics on purpose")
}

/// One hangs in its hook, one in its handler.
#[phalanx::main]
pub(crate) fn hangs() -> phalanx::Result<()> {
    Stubborn.builder().shutdown(Duration::from_millis(300)).spawn()?;
    let worker = Witness.builder().name("worker").deadline(Duration::from_millis(300)).spawn()?;
    worker.work(FOREVER.as_millis() as u64)?;
    Ok(())
}

#[phalanx::main]
pub(crate) fn late_task() -> phalanx::Result<()> {
    later::spawn("done after the end of main".into())?;
    println!("main ends");
    Ok(())
}

/// An actor has a task of its own that would run on.
#[phalanx::main]
pub(crate) fn nested_task() -> phalanx::Result<()> {
    witness("actor")?.employ().wait()?;
    Ok(())
}
