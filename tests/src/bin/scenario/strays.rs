//! Programs whose processes are killed from outside.

use phalanx::prelude::*;

use crate::actors::witness;

/// Has an actor with an orphan among its descendants; waits for the actor.
#[phalanx::main]
pub(crate) fn stray() -> phalanx::Result<()> {
    let actor = witness("actor")?;
    println!("{}", actor.leave_a_stray().wait()?);
    println!("{}", actor.join());
    Ok(())
}

/// Says so as soon as it exists.
#[actor]
struct Loud;

#[actor]
impl Loud {
    #[init]
    fn new() -> Loud {
        println!("user code runs");
        Loud
    }
}

#[phalanx::main]
pub(crate) fn spawns_once() -> phalanx::Result<()> {
    match Loud::spawn() {
        Ok(_) => println!("it started"),
        Err(SpawnError::SupervisorDied { .. }) => println!("the supervisor died"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}
