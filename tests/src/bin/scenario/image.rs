//! A program whose executable is replaced on disk while it runs.

use std::fs;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{processes, until};

use crate::cast::witness;

/// An actor that nobody has started before the replacement.
#[actor]
struct Latecomer;

#[actor]
impl Latecomer {
    fn answer(&self) -> u32 {
        42
    }
}

/// Puts another file where this program's executable is.
fn replace_executable() -> phalanx::Result<()> {
    let path = std::env::current_exe()?;
    let other = path.with_extension("other");
    fs::write(&other, "#!/bin/sh\necho an impostor\n")?;
    fs::set_permissions(&other, fs::metadata(&path)?.permissions())?;
    Ok(fs::rename(other, path)?)
}

#[phalanx::main]
pub(crate) fn replaced() -> phalanx::Result<()> {
    let early = witness("early")?;
    replace_executable()?;
    early.say("the early actor answers".into()).wait()?;
    println!("{}", Latecomer.spawn()?.answer().wait()?);

    let root =
        processes::root_supervisor(std::process::id()).ok_or_else(|| phalanx::Error::new("no root"))?;
    processes::kill(root);
    early.join();
    let late = until("a new tree", Duration::from_secs(10), || match Latecomer.spawn() {
        // It was not known yet; the next spawn starts a new tree.
        Err(SpawnError::SupervisorDied { .. }) => None,
        other => Some(other),
    });
    println!("{}", late?.answer().wait()?);
    Ok(())
}

#[phalanx::main]
pub(crate) fn replaced_before() -> phalanx::Result<()> {
    replace_executable()?;
    println!("{}", Latecomer.spawn()?.answer().wait()?);
    Ok(())
}
