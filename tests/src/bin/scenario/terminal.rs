//! A program at a terminal, whose foreground group its actors are not in.

use std::fs::File;
use std::io::Read;

use phalanx::command::Command;
use phalanx::prelude::*;

#[actor]
struct Typist;

#[actor]
impl Typist {
    /// Prints; then the error of reading from the terminal.
    fn read(&self) -> Option<i32> {
        println!("the actor prints");
        let mut byte = [0];
        let read = File::open("/dev/tty").and_then(|mut terminal| terminal.read_exact(&mut byte));
        read.err().and_then(|error| error.raw_os_error())
    }
}

/// How many of the signals by which a terminal stops a background process a command ignores.
const IGNORED: &str = "exit $(( (0x$(sed -n 's/^SigIgn:\\s*//p' /proc/self/status) >> 20) & 3 ))";

#[phalanx::main]
pub(crate) fn actor() -> phalanx::Result<()> {
    println!("{:?}", Typist.spawn()?.read().wait()?);
    let code = Command::shell(IGNORED).spawn()?.join().code();
    println!("the command: {code}");
    Ok(())
}
