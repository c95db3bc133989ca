//! A program of other authors as a child: started and awaited, watched, started again, stopped.
//!
//! `cargo run --bin external`
//!
//! A line for the shell stands for the server, so that the example runs anywhere;
//! `Command::new("redis-server").arg("--port")..` works alike.

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::time::Duration;

use phalanx::command::{Command, CommandRef, Output, Ready};

const SERVER: &str = r#"
    trap 'echo "server: saved"; exit 0' TERM
    echo "server: accepts connections"
    while :; do sleep 0.1 & wait; done
"#;

/// Ready when it says so. For a real server, test its address: `Ready::port("127.0.0.1:6379")`.
fn start() -> phalanx::Result<CommandRef> {
    let server = Command::shell(SERVER).name("server").ready(Ready::line("accepts connections"));
    Ok(server.output(Output::Inherit).start_timeout(Duration::from_secs(30)).spawn()?)
}

/// Makes it crash.
fn crash(server: &CommandRef) -> phalanx::Result<()> {
    Command::shell(format!("kill -SEGV {}", server.command_pid()?)).spawn()?.join();
    Ok(())
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    // Each failure to start is an error of the start, with the reason.
    for mistake in [Command::new("no-such-server"), Command::shell("echo 'no licence' >&2; exit 2")] {
        let error = mistake.name("mistake").ready(Ready::line("ready")).spawn().expect_err("it cannot start");
        println!("{error}");
    }

    let server = start()?;
    crash(&server)?;
    println!("the first server was {}; its exit code is {:?}", server.join(), server.exit_code());

    let server = start()?;
    // SIGTERM to its process group; SIGKILL if it takes longer than that.
    let reason = server.stop(Duration::from_secs(10))?;
    println!("the second server was {reason}");

    // The end of the program would have stopped it as well.
    start()?;
    Ok(())
}
