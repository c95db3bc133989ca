//! The least that a process costs when a zygote forks it: what the benchmarks compare with.
//!
//! No mailbox, no status page, no types: one packet asks for a fork, one packet says that the child is there.
//! It makes the system calls of the real thing, so the ratio between the two says what everything else costs.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::{env, io};

use phalanx_os::{clock, fd, poll, process, seqpacket};

/// Tells a benchmark, started again, that it must be the zygote.
const ZYGOTE: &str = "PHALANX_FLOOR_ZYGOTE";

/// A single-threaded process that forks on request and does nothing else.
pub(crate) struct Zygote {
    child: Child,
    control: OwnedFd,
}

/// A forked child that has sent its first packet, and ends when this is dropped.
pub(crate) struct Forked {
    socket: OwnedFd,
    pid: i32,
}

impl Forked {
    /// Kills it, and waits until its end of the socket has hung up.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn kill_until_hang_up(&self) -> io::Result<()> {
        kill(self.pid.unsigned_abs());
        while seqpacket::receive(self.socket.as_fd(), &mut [0; 16], true)?.is_some() {}
        Ok(())
    }
}

/// A handle on a process, to wait for.
///
/// # Errors
/// Those of the system.
pub(crate) fn handle(pid: u32) -> io::Result<OwnedFd> {
    process::pidfd(pid.cast_signed())
}

/// Kills a process, and waits until `handle` says so: the earliest moment at which another process can know.
///
/// # Errors
/// Those of the system.
pub(crate) fn kill_until_known(pid: u32, handle: &OwnedFd) -> io::Result<()> {
    kill(pid);
    while !poll::readable(handle.as_fd(), None)? {}
    Ok(())
}

/// SIGKILL from outside, which no supervisor has ordered.
pub(crate) fn kill(pid: u32) {
    process::kill(pid.cast_signed(), process::SIGKILL);
}

/// Nanoseconds since the system was started: the clock on which `noted` says when a supervisor knew of an end.
pub(crate) fn now() -> u64 {
    clock::now()
}

impl Zygote {
    /// Starts the running executable again, whose `main` has to begin with [`serve_if_asked`].
    pub(crate) fn start() -> io::Result<Zygote> {
        let (control, theirs) = fd::seqpacket_pair()?;
        let child = Command::new(env::current_exe()?).env(ZYGOTE, "1").stdin(Stdio::from(theirs)).spawn()?;
        Ok(Zygote { child, control })
    }

    /// Asks for a child, and waits for its first packet.
    pub(crate) fn fork(&self) -> io::Result<Forked> {
        let (ours, theirs) = fd::seqpacket_pair()?;
        seqpacket::send_raw(self.control.as_fd(), b"f", &[theirs.as_fd()])?;
        drop(theirs);
        let mut buffer = [0; 16];
        match seqpacket::receive(ours.as_fd(), &mut buffer, true)? {
            Some(packet) => {
                let pid = buffer[..packet.len].try_into().map_or(0, i32::from_ne_bytes);
                Ok(Forked { socket: ours, pid })
            }
            None => Err(io::Error::other("the child of the zygote said nothing")),
        }
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the image that [`Zygote::start`] has started, serves until its parent is gone; in any other, does
/// nothing.
pub(crate) fn serve_if_asked() {
    if env::var_os(ZYGOTE).is_some() {
        let served = serve();
        process::exit_now(i32::from(served.is_err()));
    }
}

fn serve() -> io::Result<()> {
    let control = fd::duplicate(0)?;
    fd::put_nothing(0)?;
    process::confirm_single_thread()?;
    let mut buffer = [0; 16];
    while let Some(packet) = seqpacket::receive(control.as_fd(), &mut buffer, true)? {
        while let Some((pid, _)) = process::ended_child() {
            process::reap(pid);
        }
        let Some(socket) = packet.fds.first() else { continue };
        if let process::Fork::Child = process::fork()? {
            seqpacket::send_raw(socket.as_fd(), &process::pid().to_ne_bytes(), &[])?;
            // Until the other end is closed.
            let _ = seqpacket::receive(socket.as_fd(), &mut buffer, true);
            process::exit_now(0);
        }
    }
    Ok(())
}
