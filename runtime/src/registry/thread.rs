//! The thread `phalanx-names` of the program: reads the uplink of names, and keeps the registry.
//!
//! It starts when the first name is asked for, and never waits for another process: what comes out of the
//! uplink is bounded, checked and dropped if it is nonsense, and a reply that does not fit into its socket is
//! dropped as well.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use once_cell::sync::OnceCell;

use super::protocol::{Answer, Limit, Refusal, Request};
use super::table::Registry;
use crate::ipc::envelope::{packet, parse};
use crate::ipc::uplink;
use crate::sys::per_process::Own;
use crate::sys::seqpacket::{self, Packet};
use crate::sys::verdict::Verdict;
use crate::sys::{fd, poll};

/// How many requests are served before dead entries are swept.
const AT_A_TIME: usize = 64;

static STARTED: Own<OnceCell<()>> = Own::new();

/// The uplink of names, if this is the program and no thread reads it yet.
pub(crate) fn unread_line() -> Option<BorrowedFd<'static>> {
    if STARTED.here().get().is_some() { None } else { uplink::incoming_names() }
}

/// Makes sure that the thread runs, if this is the program and there is an uplink.
///
/// # Errors
/// If the thread cannot be started.
pub(crate) fn start_registry() -> io::Result<()> {
    let Some(line) = uplink::incoming_names() else { return Ok(()) };
    STARTED.here().get_or_try_init(|| {
        let keeper = Keeper { line, registry: Registry::default(), buffer: seqpacket::buffer() };
        std::thread::Builder::new().name("phalanx-names".into()).spawn(move || keeper.run()).map(drop)
    })?;
    Ok(())
}

struct Keeper<L> {
    line: L,
    registry: Registry,
    buffer: Vec<u8>,
}

impl<L: AsFd> Keeper<L> {
    fn run(mut self) {
        while self.turn() {}
    }

    /// Waits once, and handles everything that came. Returns whether there will be more.
    fn turn(&mut self) -> bool {
        let mut fds = vec![(self.line.as_fd(), false)];
        fds.extend(self.registry.hang_ups().map(|hang_ups| (hang_ups, false)));
        let ready = match poll::wait(&fds, None, None) {
            Ok(ready) => ready,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            // No memory. A broken uplink is seen when it is read.
            Err(_) => {
                poll::pause(Duration::from_millis(10));
                return true;
            }
        };
        if ready.get(1) == Some(&true) {
            self.registry.sweep();
        }
        !ready[0] || self.take_requests()
    }

    /// Returns whether the uplink still works.
    fn take_requests(&mut self) -> bool {
        for _ in 0..AT_A_TIME {
            match seqpacket::receive(self.line.as_fd(), &mut self.buffer, false) {
                Ok(Some(packet)) => self.answer(packet),
                // An empty packet; or a process has shut the uplink down, and it stays so.
                Ok(None) if fd::has_ended(self.line.as_fd()) => return false,
                Ok(None) => {}
                Err(error) => return passes(&error),
            }
        }
        true
    }

    fn answer(&mut self, packet: Packet) {
        let mut fds = packet.fds.into_iter();
        let Some(reply) = fds.next().filter(is_open) else { return };
        let served = match parse::<Request>(&self.buffer[..packet.len]) {
            // Its descriptors did not fit into this process.
            _ if packet.truncated => Err(Refusal::Full(Limit::Descriptors)),
            Some(request) => self.registry.serve(request, reply.as_fd(), fds),
            None => return,
        };
        let (answer, refs) = served.unwrap_or_else(|refusal| (Answer::Refused(refusal), Vec::new()));
        if let Ok(mut bytes) = self::packet(&answer) {
            // An asker that has given up, or has filled its own socket, gets no reply.
            let _ = seqpacket::send(reply.as_fd(), &mut bytes, &refs);
        }
    }
}

/// The uplink could not be read; returns whether to try again, once there is any use in it.
fn passes(error: &io::Error) -> bool {
    match Verdict::of(error) {
        Verdict::Passes if Verdict::passes_unseen(error) => poll::pause(Duration::from_millis(10)),
        Verdict::Passes => {}
        // The descriptor is not the uplink's any more. Askers see a hang-up, or their deadline if the uplink
        // is still open somewhere.
        Verdict::Ours | Verdict::Theirs | Verdict::Packet => {
            tracing::error!(
                target: "phalanx::names",
                %error,
                "the name registry cannot be reached any more: \
                 has code in this program closed a descriptor that was not its own?"
            );
            return false;
        }
    }
    true
}

/// Whether an asker waits at the other end. One that has given up does not want its request served either.
fn is_open(reply: &OwnedFd) -> bool {
    fd::is_seqpacket(reply.as_fd()) && !fd::hung_up(reply.as_fd())
}

#[cfg(test)]
mod tests;
