//! Whether a command is ready that does not say so itself: a server listens at an address, or another
//! command says so.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::TICK;
use super::check::Check;
use super::exit_race::Course;
use super::ready::Ready;
use super::spec::CommandSpec;
use crate::sys::process;

/// How long the previous incarnation may take to let go of the address.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_millis(200);

pub(super) enum Probe {
    Port(Vec<SocketAddr>),
    Path(PathBuf),
    Check(Check),
}

impl Probe {
    /// What is looked at, if its readiness depends on something outside of it.
    ///
    /// # Errors
    /// In words, if the address does not resolve, or if another process listens there already: a probe could
    /// not tell it from the command.
    pub(super) fn of(spec: &CommandSpec) -> Result<Option<Probe>, String> {
        let (probe, address) = match &spec.ready {
            Ready::Port(address) => (Probe::Port(resolve(address)?), address.clone()),
            Ready::Socket(path) => {
                let path = spec.directory().join(path);
                (Probe::Path(path.clone()), path.display().to_string())
            }
            Ready::Command(words) => return Ok(Some(Probe::Check(Check::new(words)))),
            Ready::AtOnce | Ready::Line(_) | Ready::Notify => return Ok(None),
        };
        let start = Instant::now();
        while probe.is_open() {
            if start.elapsed() > PATIENCE {
                return Err(format!("another process listens at `{address}`"));
            }
            thread::sleep(TICK);
        }
        Ok(Some(probe))
    }

    /// Whether the command is ready; called every [`TICK`] until it is.
    ///
    /// # Errors
    /// In words, if that cannot be found out.
    pub(super) fn says_ready(&mut self, spec: &CommandSpec, course: &Course) -> Result<bool, String> {
        match self {
            Probe::Check(check) => check.passes(spec, course),
            // The listener must be the command itself, not a process that it has left behind.
            listener => Ok(listener.is_open() && !process::has_ended(course.pid())),
        }
    }

    fn is_open(&self) -> bool {
        match self {
            Probe::Port(addresses) => addresses.iter().any(is_open),
            Probe::Path(path) => UnixStream::connect(path).is_ok(),
            Probe::Check(_) => false,
        }
    }
}

fn resolve(address: &str) -> Result<Vec<SocketAddr>, String> {
    let resolved =
        address.to_socket_addrs().map_err(|error| format!("cannot resolve `{address}`: {error}"))?;
    Ok(resolved.collect())
}

fn is_open(address: &SocketAddr) -> bool {
    let connected = TcpStream::connect_timeout(address, CONNECT);
    // Without a listener, TCP can connect a socket to itself, if the system happens to assign that very port.
    connected.is_ok_and(|stream| stream.local_addr().ok() != stream.peer_addr().ok())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_is_open_while_somebody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(is_open(&address));
        drop(listener);
        assert!(!is_open(&address));
        assert!(resolve("nowhere").unwrap_err().starts_with("cannot resolve `nowhere`: "));
    }
}
