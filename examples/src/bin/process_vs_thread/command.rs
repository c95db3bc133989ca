//! This program as a plain command: what a unit of work is without phalanx.

use std::env;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::sums::{self, Part};

const ROLE: &str = "PROCESS_VS_THREAD_ROLE";

/// This program, to play a role.
pub(crate) fn as_command(role: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.env(ROLE, role).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    Ok(command)
}

/// The role of this process, if it has one.
pub(crate) fn role() -> Option<String> {
    env::var(ROLE).ok()
}

pub(crate) fn play(role: &str) -> phalanx::Result<()> {
    match role {
        "nothing" => {}
        // Eight bytes at a time, until there are no more.
        "echo" => {
            let mut word = [0; 8];
            while io::stdin().read_exact(&mut word).is_ok() {
                io::stdout().write_all(&word)?;
                io::stdout().flush()?;
            }
        }
        "swallow" => {
            io::copy(&mut io::stdin(), &mut io::sink())?;
        }
        "crash" => crash(),
        "crash in a thread" => drop(thread::spawn(crash).join()),
        numbers => {
            let to = numbers.parse()?;
            writeln!(io::stdout(), "{}", sums::sum(Part { from: 0, to, wait: Duration::ZERO }))?;
        }
    }
    Ok(())
}

/// Ends this process by SIGSEGV, like a C library that writes to a wrong address.
pub(crate) fn crash() {
    let line = format!("kill -SEGV {}", std::process::id());
    // The first signal only removes the handler by which Rust detects a stack overflow.
    while Command::new("/bin/sh").args(["-c", &line]).status().is_ok() {}
}
