//! A tree in which much is going on: three levels, actors that come and go by themselves, orphans with
//! sessions of their own.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::processes;

/// The lowest level.
#[actor]
struct Leaf;

#[actor]
impl Leaf {
    fn work(&self, round: u64) -> u64 {
        match round % 5 {
            0 => std::process::abort(),
            1 => std::process::exit(1),
            2 => u64::from(processes::leave_a_stray()),
            _ => round,
        }
    }
}

/// The middle: starts leaves, works with them, replaces those that die.
#[actor]
struct Branch;

#[actor]
impl Branch {
    #[tell]
    fn grow(&self) {
        for round in 0.. {
            // Much must be going on, but the processes that wait for the processor must notice a kill.
            std::thread::sleep(Duration::from_millis(4));
            let Ok(leaf) = Leaf.spawn() else { return };
            // Dies of it, or does not.
            let _ = leaf.work(round).wait();
            if round % 3 == 0 {
                let _ = leaf.stop(Duration::from_millis(100));
            }
            let keep = if round % 2 == 0 { leaf.kill() } else { Ok(()) };
            drop(keep);
        }
    }
}

/// Ends when its tree is gone, with the error that says so.
#[phalanx::main]
pub(crate) fn run() -> phalanx::Result<()> {
    let first = Branch.spawn()?;
    first.grow()?;
    Branch.spawn()?.grow()?;
    println!("busy");
    // A new spawn would start a new tree.
    while first.exit_reason() != Some(ExitReason::SupervisorDied) {
        let task = Process::spawn(|()| processes::leave_a_stray(), ())?;
        let branch = Branch.spawn()?;
        branch.grow()?;
        let _ = task.join();
        let _ = branch.join_timeout(Duration::from_millis(50));
        let _ = branch.kill();
        branch.join();
    }
    Err(phalanx::Error::new("the supervisor died"))
}
