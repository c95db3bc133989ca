//! Processes that share a file: a lock for writers, a rename for readers (001-T3).
//!
//! `cargo run --bin ipc_file`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{env, io, process};

use phalanx::prelude::*;

/// Adds `times` lines to the file.
#[task]
fn write(name: String, directory: PathBuf, times: u32) -> phalanx::Result<()> {
    for time in 1..=times {
        append(&directory, &format!("{name} {time}"))?;
    }
    Ok(())
}

/// A reader sees the old file or the new one, never a half of it.
fn append(directory: &Path, line: &str) -> io::Result<()> {
    let lock = File::create(directory.join("lock"))?;
    // Held until the file is closed; by a process that is killed too.
    lock.lock()?;
    let (path, draft) = (directory.join("lines"), directory.join("draft"));
    let text = fs::read_to_string(&path)?;
    let text = text.trim_end_matches("end\n");
    fs::write(&draft, format!("{text}{line}\nend\n"))?;
    fs::rename(draft, path)
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let directory = env::temp_dir().join(format!("ipc_file-{}", process::id()));
    fs::create_dir(&directory)?;
    let path = directory.join("lines");
    fs::write(&path, "end\n")?;

    let start = |name: &str| write::spawn(name.to_owned(), directory.clone(), 20);
    let writers = ["one", "two", "three"].map(start).into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut whole = true;
    while writers.iter().any(|writer| writer.is_alive()) {
        whole &= fs::read_to_string(&path)?.ends_with("end\n");
    }
    for writer in &writers {
        writer.join()?;
    }
    let lines = fs::read_to_string(&path)?.lines().count() - 1;
    println!("{lines} lines of three writers; always a whole file: {whole}");
    fs::remove_dir_all(directory)?;
    Ok(())
}
