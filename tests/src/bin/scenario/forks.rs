//! Programs that are copied by fork.

use std::sync::OnceLock;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, forks, processes};

use crate::actors::{Witness, witness};

#[actor]
struct Forker;

#[actor]
impl Forker {
    /// Comes back in two processes.
    fn fork(&self) -> bool {
        forks::twice().is_some()
    }

    fn who(&self) -> u32 {
        std::process::id()
    }
}

/// The copy returns from the same `main` as the original.
#[phalanx::main]
pub(crate) fn returns_twice() -> phalanx::Result<()> {
    let actor = witness("actor")?;
    match forks::twice() {
        None => {
            println!("the copy returns");
            assert!(phalanx::children().is_empty());
        }
        Some(copy) => {
            println!("the copy has ended with {}", forks::wait(copy));
            actor.say("the actor is there".into()).wait()?;
        }
    }
    Ok(())
}

/// As `daemon(3)` does it: the original ends, the copy is the program from now on.
#[phalanx::main]
pub(crate) fn in_background() -> phalanx::Result<()> {
    let before = witness("before")?;
    before.say("before".into()).wait()?;
    if forks::twice().is_some() {
        forks::leave(0);
    }
    println!("{}", if before.join_timeout(EVENT_TIMEOUT).is_some() { "gone" } else { "left" });
    let after = witness("after")?;
    after.say("after".into()).wait()?;
    println!("main ends");
    Ok(())
}

/// A handler comes back in two processes.
#[phalanx::main]
pub(crate) fn in_handler() -> phalanx::Result<()> {
    let forker = Forker.builder().name("forker").spawn()?;
    let own = forker.pid()?;
    let told = forker.fork().wait()?;
    let strangers = (0..200).filter(|_| forker.who().wait().ok() != Some(own)).count();
    println!("the original has answered: {told}; others: {strangers}");
    Ok(())
}

/// The copy gets a signal for which the original has a handler of phalanx.
#[phalanx::main]
pub(crate) fn signalled() -> phalanx::Result<()> {
    let actor = witness("actor")?;
    let copy = forks::copy(|| std::thread::sleep(FOREVER));
    processes::signal("TERM", i64::from(copy));
    println!("the copy has ended with {}", forks::wait(copy));
    actor.say("the actor is there".into()).wait()?;
    Ok(())
}

/// Asked last of all: the actors of a program that does not mark its end are there until it has gone.
static LAST: OnceLock<ActorRef<Witness>> = OnceLock::new();

extern "C" fn ask_last() {
    let Some(actor) = LAST.get() else { return };
    let said = actor.say("asked in an exit function".into()).wait();
    println!("{}", if said.is_ok() { "answered" } else { "not answered" });
}

struct AsksWhenDropped(ActorRef<Witness>);

impl Drop for AsksWhenDropped {
    fn drop(&mut self) {
        let said = self.0.say("asked by a thread-local".into()).wait();
        println!("{}", if said.is_ok() { "answered" } else { "not answered" });
    }
}

thread_local! {
    static ON_THREAD: std::cell::RefCell<Option<AsksWhenDropped>> = const { std::cell::RefCell::new(None) };
}

pub(crate) fn asks_at_exit() -> phalanx::Result<()> {
    let actor = witness("actor")?;
    let _ = LAST.set(actor.clone());
    forks::at_exit(ask_last);
    let on_thread = std::thread::spawn(move || {
        // First there, last gone: what the library keeps of a thread has been dropped by then.
        ON_THREAD.set(Some(AsksWhenDropped(actor.clone())));
        actor.say("asked on a thread".into()).wait()
    });
    on_thread.join().map_err(|_| phalanx::Error::new("the thread panicked"))??;
    Ok(())
}
