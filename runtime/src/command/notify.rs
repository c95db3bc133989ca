//! Notifications of a command: the protocol of sd_notify(3), as far as it is about readiness.
//!
//! The socket has a name in the abstract namespace, so it leaves no file, and a command of another user can
//! send to it. The kernel says which process has sent a message. It counts if that process is the command
//! or one of its descendants: there is no other below the shim, but a probe.

use std::io;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::thread;

use super::exit_race::Course;
use super::output::TARGET;
use crate::sys::{credentials, process, procfs, seqpacket};

/// The variable by which the command finds the socket.
pub(super) const VARIABLE: &str = "NOTIFY_SOCKET";

/// The longest message that is read.
const LONGEST: usize = 8 << 10;

/// How far below the shim a sender may be.
const GENERATIONS: usize = 64;

/// Where a command sends its notifications to.
pub(super) struct Notifications {
    socket: UnixDatagram,
    name: String,
}

impl Notifications {
    pub(super) fn open() -> io::Result<Notifications> {
        let name = format!("phalanx-notify-{:016x}{:016x}", process::random(), process::random());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        credentials::ask_for_senders(socket.as_fd())?;
        Ok(Notifications { socket, name })
    }

    /// The value of [`VARIABLE`].
    pub(super) fn address(&self) -> String {
        format!("@{}", self.name)
    }

    /// Reads them, in a thread of its own.
    pub(super) fn listen(self, course: Arc<Course>) -> io::Result<()> {
        let run = move || self.run(&course);
        thread::Builder::new().name("notify".to_owned()).spawn(run).map(drop)
    }

    fn run(&self, course: &Course) {
        let mut buffer = vec![0; LONGEST];
        loop {
            match seqpacket::receive(self.socket.as_fd(), &mut buffer, true) {
                Ok(Some(packet)) => {
                    // Descriptors that came along are closed below: `BARRIER=1` waits for that.
                    if packet.truncated || !packet.pid.is_some_and(is_below_here) {
                        tracing::debug!(target: TARGET, pid = packet.pid, "a notification is passed over");
                    } else {
                        heed(&buffer[..packet.len], course);
                    }
                }
                // An empty message: this socket has no end.
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

fn heed(message: &[u8], course: &Course) {
    let text = String::from_utf8_lossy(message);
    let status = text.lines().rev().find_map(|line| line.strip_prefix("STATUS="));
    course.notified(text.lines().any(|line| line == "READY=1"), status);
}

/// Whether a process is a descendant of this one, and still there.
fn is_below_here(mut pid: i32) -> bool {
    for _ in 0..GENERATIONS {
        match procfs::parent_of(pid) {
            Some(parent) if parent == process::pid() => return true,
            Some(parent) if parent > 1 => pid = parent,
            _ => return false,
        }
    }
    false
}
