//! Programs that wait to be interrupted. The first line says which process they are.

use std::process;
use std::time::Duration;

use phalanx_tests::FOREVER;

use crate::actors::{Stubborn, witness};
use crate::ends::tree;

fn say_ready() {
    println!("{}", process::id());
}

/// Waits for an actor, in a tree of depth 3.
#[phalanx::main]
pub(crate) fn waiting() -> phalanx::Result<()> {
    let first = tree()?;
    say_ready();
    let reason = first.join();
    eprintln!("main goes on: {reason}");
    Ok(())
}

/// Has nothing to do with actors at that moment.
#[phalanx::main]
pub(crate) fn computing() -> phalanx::Result<()> {
    tree()?;
    say_ready();
    std::thread::sleep(FOREVER);
    Ok(())
}

/// Has no tree any more.
#[phalanx::main]
pub(crate) fn alone_again() -> phalanx::Result<()> {
    tree()?;
    phalanx::shutdown();
    say_ready();
    std::thread::sleep(FOREVER);
    Ok(())
}

/// One of its actors does not stop.
#[phalanx::main]
pub(crate) fn hanging() -> phalanx::Result<()> {
    witness("early")?;
    let stubborn = Stubborn.builder().shutdown(FOREVER).spawn()?;
    say_ready();
    stubborn.join();
    Ok(())
}

/// One of its actors is in a handler that takes very long.
#[phalanx::main]
pub(crate) fn handling() -> phalanx::Result<()> {
    let actor =
        crate::actors::Witness.builder().name("worker").shutdown(Duration::from_millis(300)).spawn()?;
    actor.work(FOREVER.as_millis() as u64)?;
    say_ready();
    actor.join();
    Ok(())
}

/// Installs handlers of its own after its first spawn. Goes on after SIGINT and SIGTERM, and ends by itself
/// after SIGHUP.
#[phalanx::main]
pub(crate) fn handling_signals() -> phalanx::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let worker = crate::actors::Witness.builder().name("worker").spawn()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut hup = signal(SignalKind::hangup())?;
        say_ready();
        loop {
            let name = tokio::select! {
                _ = int.recv() => "SIGINT",
                _ = term.recv() => "SIGTERM",
                _ = hup.recv() => return Ok(()),
            };
            // Longer than the tree takes to be on its way out.
            tokio::time::sleep(Duration::from_millis(200)).await;
            worker.say(format!("{name}, and the actor works")).await?;
        }
    })
}
