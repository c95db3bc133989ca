//! Programs that do not mention their end.

use std::fs::{self, OpenOptions};
use std::io::Write;

use phalanx_tests::FOREVER;

use crate::actors::{forever, witness};

/// Returns from `main` with a tree running.
pub(crate) fn returns() -> phalanx::Result<()> {
    crate::ends::tree()?;
    forever::spawn()?;
    println!("main ends");
    Ok(())
}

/// Never ends by itself.
pub(crate) fn stays() -> phalanx::Result<()> {
    std::thread::sleep(FOREVER);
    Ok(())
}

/// Counts in a file how often `main` has run.
pub(crate) fn counts_runs() -> phalanx::Result<()> {
    let path = std::env::temp_dir().join("runs");
    OpenOptions::new().create(true).append(true).open(&path)?.write_all(b"run\n")?;
    println!("main runs");
    for name in ["one", "two", "three"] {
        witness(name)?.say(format!("{name} answers")).wait()?;
    }
    println!("{}", fs::read_to_string(&path)?.lines().count());
    Ok(fs::remove_file(&path)?)
}
