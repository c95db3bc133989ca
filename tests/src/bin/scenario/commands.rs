//! Programs with external commands, and some that are such commands.

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::thread;
use std::time::Duration;

use phalanx::command::{Command, Input, Output, Ready};
use phalanx_tests::FOREVER;

use crate::argument;

/// For servers on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// For those that do not stop by themselves.
const GRACE: Duration = Duration::from_millis(300);

/// Runs a shell line to its end, and says how that was. What becomes of its output, the line by which it is
/// ready, and the level of what it writes on standard error are arguments.
#[phalanx::main]
pub(crate) fn runs() -> phalanx::Result<()> {
    phalanx::logging::init();
    let output = match argument(2).as_str() {
        "inherit" => Output::Inherit,
        "null" => Output::Null,
        _ => Output::Log,
    };
    let mut command = Command::shell(argument(4)).output(output);
    if let Ok(level) = argument(5).parse() {
        command = command.stderr_level(level);
    }
    if !argument(3).is_empty() {
        command = command.ready(Ready::line(argument(3)));
    }
    let reason = command.spawn()?.join();
    println!("{reason}");
    Ok(())
}

/// Runs a command that writes what it reads from the program's standard input.
#[phalanx::main]
pub(crate) fn inherits() -> phalanx::Result<()> {
    let cat = Command::new("cat").stdin(Input::Inherit).output(Output::Inherit);
    println!("{}", cat.spawn()?.join());
    Ok(())
}

/// Sends its arguments to the address in `NOTIFY_SOCKET`, as one message; then it stays.
pub(crate) fn notifies() -> phalanx::Result<()> {
    let address = std::env::var("NOTIFY_SOCKET")?;
    let name = address.strip_prefix('@').unwrap_or_default();
    let message = std::env::args().skip(2).collect::<Vec<_>>().join("\n");
    let to = SocketAddr::from_abstract_name(name)?;
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &to)?;
    thread::sleep(FOREVER);
    Ok(())
}

/// Runs a command that dumps core, if it may; says how many there are.
#[phalanx::main]
pub(crate) fn dumps() -> phalanx::Result<()> {
    let place = std::env::temp_dir().join("cores");
    fs::create_dir(&place)?;
    std::env::set_current_dir(&place)?;
    println!("{:?}", Command::shell("kill -SEGV $$").spawn()?.join());
    println!("{}", fs::read_dir(&place)?.count());
    fs::remove_dir_all(&place)?;
    Ok(())
}

/// Has commands that are hard to get hold of, and says which processes they are.
#[phalanx::main]
pub(crate) fn several() -> phalanx::Result<()> {
    let stray = "trap '' TERM INT HUP; setsid sleep 1000 & sleep 1000 & echo begun; wait";
    // Those whose environment does not say whose they are: in the group of the command, and as a daemon is.
    let bare = "env -i sleep 1000 & env -i sleep 1000 & echo begun; wait";
    let daemon = "env -i setsid sleep 1000 & (env -i setsid sleep 1000 &); echo begun; wait";
    let commands = [
        Command::new("sleep").arg("1000"),
        Command::shell(stray).ready(Ready::line("begun")),
        Command::shell(stray).env_clear().ready(Ready::line("begun")),
        Command::shell(bare).ready(Ready::line("begun")),
        Command::shell(daemon).ready(Ready::line("begun")),
    ];
    let mut started = Vec::new();
    for (number, command) in commands.into_iter().enumerate() {
        started.push(command.name(format!("command-{number}")).shutdown(GRACE).spawn()?);
    }
    println!("{}", started[0].pid()?);
    thread::sleep(FOREVER);
    Ok(())
}

/// Has the command of its other arguments, which is ready when a server listens at the address of the first
/// one.
#[phalanx::main]
pub(crate) fn keeps() -> phalanx::Result<()> {
    let command = Command::new(argument(3)).args(std::env::args_os().skip(4)).output(Output::Null);
    let _command = command.current_dir("/").ready(Ready::port(argument(2))).start_timeout(LONG).spawn()?;
    println!("ready");
    thread::sleep(FOREVER);
    Ok(())
}

/// Listens somewhere after a while: at a port, or at a path if there is a slash in it.
pub(crate) fn listens() -> phalanx::Result<()> {
    thread::sleep(Duration::from_millis(300));
    let address = argument(2);
    if address.contains('/') {
        let _listener = UnixListener::bind(&address)?;
        thread::sleep(FOREVER);
    } else {
        let _listener = TcpListener::bind(&address)?;
        thread::sleep(FOREVER);
    }
    Ok(())
}
