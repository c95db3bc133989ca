//! The way of a process's events to the log of the program: bounded, in order, and with a limit on every
//! wait.
//!
//! The thread that logs makes the system call that sends, so what was said before a crash is in the socket
//! when the process is gone. An event that finds no room waits 100 ms at most; then it is dropped, and later
//! ones at once, until there is room again. The first event that gets through says how many did not. A thread
//! that only hands on what it reads may wait for room first, see [`await_room`].

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::ipc::uplink;
use crate::logging::record::Record;
use crate::status::cut;
use crate::sys::per_process::Own;
use crate::sys::{clock, fd, memfd, poll, seqpacket};

/// How long an event may wait for room.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);

/// How long [`await_room`] waits.
const LONGER: Duration = Duration::from_secs(5);

/// How often it checks whether it must still wait.
const SLICE: Duration = Duration::from_millis(10);

/// How long to wait between tries. The kernel reports a socket as writable only when most of it is empty, so
/// it is tried more often than that.
const BETWEEN_TRIES: Duration = Duration::from_millis(2);

/// Events above this many bytes travel as memory files.
const INLINE: usize = 32 * 1024;

/// What a packet is: its first byte.
pub(crate) const EVENT: u8 = b'e';
/// As [`EVENT`]; the record lies in the first descriptor, and the second one is closed when it has been read.
pub(crate) const LARGE: u8 = b'l';
/// A mark that the program sends to itself, see [`crate::logging::inbox`].
pub(crate) const MARK: u8 = b'm';

/// A text for a printer, see [`crate::logging::printers`], whose number comes first.
pub(crate) const PRINT: u8 = b'p';

/// In front of the record: kind, number, how many were dropped before it.
pub(crate) const FRONT: usize = 1 + 8 + 8;

/// What is known of the events of one process.
#[derive(Default)]
struct Outbox {
    number: u64,
    dropped: u64,
    /// The last event found no room, so the next ones do not wait.
    blocked: bool,
    /// Hangs up when the last large event has been read. Only one lies in the uplink at a time, because what
    /// it takes up is not in the socket's count.
    large: Option<OwnedFd>,
}

/// A fork has its own numbers.
static OUTBOX: Own<Mutex<Outbox>> = Own::new();

/// Locked while an event waits, so that events are in the socket in the order of their numbers.
fn outbox() -> MutexGuard<'static, Outbox> {
    OUTBOX.here().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until the program has read most of what lies in the uplink. A thread that only hands on what it
/// reads uses this, so that a slow subscriber holds up the writers, as every slow reader does. Waits 5 s at
/// most, not while events are dropped, and not when `is_over`. Other threads of this process log meanwhile.
pub(crate) fn await_room(is_over: impl Fn() -> bool) {
    let Some(line) = uplink::log() else { return };
    let until = clock::after(LONGER);
    let mut slice = Duration::ZERO;
    // An interrupted wait is one that has found no room.
    while !poll::writable(line, Some(slice)).unwrap_or(false) {
        if outbox().blocked || is_over() || clock::now() >= until {
            return;
        }
        slice = SLICE;
    }
}

/// Sends an event to the program, or drops it: at once if there is no room and `patience` is zero.
pub(crate) fn send(record: &Record<'_>, patience: Duration) {
    let Some(line) = uplink::log() else { return };
    let Some(packet) = record.encode(vec![EVENT; FRONT]) else { return };
    let mut outbox = outbox();
    let patience = if outbox.blocked { Duration::ZERO } else { patience };
    match outbox.post(line, packet, clock::after(patience)) {
        Ok(()) => (outbox.dropped, outbox.blocked) = (0, false),
        Err(error) => {
            outbox.dropped += 1;
            // A refusal for another reason (no memory, no descriptor) says nothing of the next event. A
            // refusal for good (the uplink is shut down, or its descriptor is another's by now) meets each
            // event, at once: a process does not end because its log is not read.
            outbox.blocked |= error.kind() == io::ErrorKind::WouldBlock;
        }
    }
}

/// Has a printer of the program print a text, of which the first 32 KiB are sent. Returns whether there was
/// room for it. Takes no lock: its thread may have panicked anywhere.
pub(crate) fn print(printer: u32, text: &str) -> bool {
    let Some(line) = uplink::log() else { return false };
    let mut packet = vec![PRINT];
    packet.extend(printer.to_le_bytes());
    let sent = cut(text, INLINE - packet.len());
    packet.extend(sent.as_bytes());
    until_room(line, clock::after(PATIENCE), || seqpacket::send_raw(line, &packet, &[])).is_ok()
}

/// Sends an event to the program, if there is room now. Returns `false` if there is none: then nothing has
/// happened, and the event can be offered again, or counted by [`count_lost`].
pub(crate) fn offer(record: &Record<'_>) -> bool {
    let Some(line) = uplink::log() else { return true };
    let Some(packet) = record.encode(vec![EVENT; FRONT]) else { return true };
    let mut outbox = outbox();
    match outbox.post(line, packet, clock::now()) {
        Ok(()) => (outbox.dropped, outbox.blocked) = (0, false),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            outbox.number -= 1;
            return false;
        }
        Err(_) => outbox.dropped += 1,
    }
    true
}

/// Counts events that are not sent for lack of room.
pub(crate) fn count_lost(events: u64) {
    let mut outbox = outbox();
    outbox.number += events;
    outbox.dropped += events;
}

impl Outbox {
    /// Sends the next event, and waits for room until this time at most.
    fn post(&mut self, line: BorrowedFd<'_>, mut packet: Vec<u8>, until: u64) -> io::Result<()> {
        self.number += 1;
        packet[1..9].copy_from_slice(&self.number.to_le_bytes());
        packet[9..FRONT].copy_from_slice(&self.dropped.to_le_bytes());
        if packet.len() <= INLINE {
            until_room(line, until, || seqpacket::send_raw(line, &packet, &[]))
        } else {
            self.send_large(line, &mut packet, until)
        }
    }

    fn send_large(&mut self, line: BorrowedFd<'_>, packet: &mut [u8], until: u64) -> io::Result<()> {
        while let Some(last) = &self.large {
            if fd::hung_up(last.as_fd()) {
                self.large = None;
            } else if clock::now() >= until {
                return Err(io::ErrorKind::WouldBlock.into());
            } else {
                // Readable means hung up: no process writes there.
                let _ = poll::readable(last.as_fd(), Some(clock::until(until)));
            }
        }
        packet[0] = LARGE;
        let file = memfd::payload(&packet[FRONT..])?;
        let (ours, theirs) = fd::seqpacket_pair()?;
        let fds = [file.as_fd(), theirs.as_fd()];
        until_room(line, until, || seqpacket::send_raw(line, &packet[..FRONT], &fds))?;
        self.large = Some(ours);
        Ok(())
    }
}

/// Tries until there is room or it is too late.
fn until_room(line: BorrowedFd<'_>, until: u64, mut send: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && clock::now() < until => {
                let _ = poll::wait(&[(line, true)], Some(BETWEEN_TRIES), None);
            }
            other => return other,
        }
    }
}
