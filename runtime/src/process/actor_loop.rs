//! The main loop of an actor: take a message, handle it, answer; until it is to stop.

mod callers;

use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::actor::{Actor, Answer, Call, method_name};
use crate::codec;
use crate::current;
use crate::mailbox::capacity::{self, Correction};
use crate::mailbox::envelope::{Body, Envelope, Status, parse};
use crate::mailbox::ledger::{Farewell, Ledger, Phase, StopMode};
use crate::process::child::{Start, announce_ready};
use crate::process::last_words;
use crate::process::tree;
use crate::sys::{frame, poll, process, signal, time};
use callers::Callers;

/// The code of an exit after a panic, as of a Rust program whose `main` panicked.
pub(crate) const PANICKED: i32 = 101;

/// Makes the actor, handles its messages, stops it. Answers the exit code.
pub(crate) fn run<A: Actor>(start: Start) -> i32 {
    let Start { init, fds, receiver, ledger, .. } = start;
    let mut actor = match make::<A>(&init, fds, ledger) {
        Ok(actor) => actor,
        Err(code) => return code,
    };
    drop(init);
    announce_ready(ledger, &receiver);
    let mut mailbox = Mailbox::new(receiver, ledger);
    let served = catch_unwind(AssertUnwindSafe(|| mailbox.serve(&mut actor)));
    if let Err(payload) = served {
        last_words::correct(ledger, &*payload);
        // The state may be half-changed: it is not dropped, nobody runs code on it.
        std::mem::forget(actor);
        return farewell(ledger, Farewell::Panicked, PANICKED);
    }
    ledger.enter(Phase::Stopping);
    let stopped = catch_unwind(AssertUnwindSafe(|| {
        actor.on_stop();
        // What it has started ends with it, in the same order as at the end of a program.
        tree::shut_down(StopMode::Stop);
        drop(actor);
    }));
    mailbox.callers.flush_before_exit();
    match stopped {
        Ok(()) => farewell(ledger, Farewell::Stopped, 0),
        Err(payload) => {
            last_words::correct(ledger, &*payload);
            farewell(ledger, Farewell::Panicked, PANICKED)
        }
    }
}

fn farewell(ledger: &Ledger, farewell: Farewell, code: i32) -> i32 {
    ledger.say_farewell(farewell);
    code
}

fn make<A: Actor>(init: &Body, fds: Vec<OwnedFd>, ledger: &Ledger) -> Result<A, i32> {
    let init = codec::decode::<A::Init>(init, fds).map_err(|error| {
        ledger.last_words(&error, "", None);
        farewell(ledger, Farewell::Undecodable, 1)
    })?;
    match catch_unwind(AssertUnwindSafe(|| A::init(init))) {
        Ok(Ok(actor)) => Ok(actor),
        Ok(Err(error)) => {
            ledger.last_words(&error.0, "", None);
            Err(farewell(ledger, Farewell::InitFailed, 1))
        }
        Err(payload) => {
            last_words::correct(ledger, &*payload);
            Err(farewell(ledger, Farewell::Panicked, PANICKED))
        }
    }
}

struct Mailbox {
    receiver: OwnedFd,
    ledger: &'static Ledger,
    buffer: Vec<u8>,
    correction: Correction,
    callers: Callers,
}

/// A message, taken out of the mailbox.
struct Message {
    envelope: Envelope<()>,
    body: Body,
    fds: Vec<OwnedFd>,
}

impl Mailbox {
    fn new(receiver: OwnedFd, ledger: &'static Ledger) -> Mailbox {
        Mailbox {
            receiver,
            ledger,
            buffer: frame::buffer(),
            correction: Correction::default(),
            callers: Callers::default(),
        }
    }

    /// Handles messages until a stop is asked for; then, in a drain, those that are queued at that moment.
    fn serve<A: Actor>(&mut self, actor: &mut A) {
        while let Some(message) = self.next() {
            self.handle(actor, message);
        }
        if self.ledger.stop_requested() == Some(StopMode::Drain) {
            // Not those that come later: two actors that talk to each other would never end.
            let queued = self.ledger.depth().load(std::sync::atomic::Ordering::SeqCst);
            for _ in 0..queued {
                let Some(message) = self.take(false) else { break };
                self.handle(actor, message);
            }
        }
    }

    /// Waits for the next message; `None` when the actor is to stop.
    fn next(&mut self) -> Option<Message> {
        loop {
            if signal::is_noted(process::SIGTERM) {
                return None;
            }
            self.callers.flush();
            // Usually nothing is known to wait, and one blocking receive is all there is to do.
            let idle = self.ledger.depth().load(std::sync::atomic::Ordering::SeqCst) == 0
                && !self.callers.are_blocked();
            if let Some(message) = self.take(idle) {
                self.correction.queue_moved();
                return Some(message);
            }
            if !idle && !signal::is_noted(process::SIGTERM) {
                let limit = self.correction.queue_is_empty(self.ledger);
                let mut fds = vec![(self.receiver.as_fd(), false)];
                fds.extend(self.callers.blocked().map(|fd| (fd, true)));
                if limit.is_some() || fds.len() > 1 {
                    let _ = poll::wait(&fds, limit, None);
                }
            }
        }
    }

    /// Takes a message out, if there is one, or waits for it. `None` too for a wake-up and for what is not a message.
    fn take(&mut self, wait: bool) -> Option<Message> {
        loop {
            let packet = match frame::receive(self.receiver.as_fd(), &mut self.buffer, wait) {
                Ok(Some(packet)) => packet,
                // Closed: the supervisor has given this mailbox up. It is about to end us.
                Ok(None) => {
                    poll::pause(std::time::Duration::from_millis(10));
                    return None;
                }
                Err(_) => return None,
            };
            if packet.len <= 1 {
                // Our own signal handler, which wakes us.
                return None;
            }
            match self.read(packet) {
                Some(message) => return Some(message),
                // Not from one of us. Dropped, and counted as handled, so that it can be seen.
                None => {
                    capacity::release(self.ledger);
                    self.ledger.finish();
                }
            }
        }
    }

    fn read(&mut self, packet: frame::Packet) -> Option<Message> {
        let Envelope { session, seq, method, deadline, announce, large, payload } =
            parse::<Envelope>(&self.buffer[..packet.len]).filter(|_| !packet.truncated)?;
        let mut fds = packet.fds.into_iter();
        if announce {
            self.callers.announce(session, fds.next()?);
        }
        let envelope = Envelope { session, seq, method, deadline, announce, large, payload: () };
        match Body::open(payload, large, &mut fds) {
            Ok(body) => Some(Message { envelope, body, fds: fds.collect() }),
            Err(error) => {
                self.answer(&envelope, Answer::codec(&error.to_string()));
                None
            }
        }
    }

    fn handle<A: Actor>(&mut self, actor: &mut A, message: Message) {
        let Message { envelope, body, fds } = message;
        if envelope.deadline != 0 && envelope.deadline <= time::now() {
            // Nobody waits any more. The caller's clock says so too; the answer is for one that did not look at it.
            capacity::release(self.ledger);
            self.ledger.finish();
            return self
                .answer(&envelope, Answer { status: Status::Expired, encoded: codec::Encoded::default() });
        }
        // In this order: whoever sees that it has left the queue can rely on its being in progress.
        self.ledger.begin(envelope.seq, envelope.method);
        capacity::release(self.ledger);
        let handling = current::handling(envelope.deadline);
        let answer = actor.handle(Call { method: envelope.method, body: &body, fds });
        drop(handling);
        self.ledger.finish();
        if envelope.seq == 0 && answer.status == Status::Codec {
            let reason = String::from_utf8_lossy(&answer.encoded.bytes);
            tracing::warn!(method = method_name(A::METHODS, envelope.method), %reason, "dead letter");
        }
        self.answer(&envelope, answer);
    }

    fn answer(&mut self, envelope: &Envelope<()>, answer: Answer) {
        if envelope.seq != 0 {
            self.callers.answer(envelope.session, envelope.seq, self.ledger.incarnation(), answer);
        }
    }
}
