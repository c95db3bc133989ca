//! The receiving side of an actor: messages in, replies out, one at a time.
//!
//! If another process may follow this one (`durable`), a message stays in the mailbox, as its first one,
//! until it has been handled. So a death loses nothing that was queued. The message that was begun is still
//! there: the next process reports it lost, or handles it again if its method allows that. Otherwise a
//! message is taken out at once, which saves a system call.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::recycling::Recycling;
use super::reply_channels::Callers;
use crate::actor::answer::Answer;
use crate::actor::call::Call;
use crate::actor::links;
use crate::actor::traits::Actor;
use crate::control::fd_store::FdStore;
use crate::ipc::capacity::{self, Correction};
use crate::ipc::codec;
use crate::ipc::envelope::{Body, Envelope, Status, parse};
use crate::policy::Drain;
use crate::reactor::{context, last_words, own};
use crate::status::{ExitRecord, Phase, StatusPage, StopMode};
use crate::sys::verdict::Verdict;
use crate::sys::{clock, fd, poll, process, rlimit, seqpacket, signal};
use crate::types::method::{Method, method_name};

pub(super) struct Mailbox {
    receiver: OwnedFd,
    status_page: &'static StatusPage,
    buffer: Vec<u8>,
    correction: Correction,
    pub(super) callers: Callers,
    durable: bool,
    drain: Drain,
    pub(super) recycling: Recycling,
    methods: &'static [Method],
}

/// How long to wait for a condition that passes without the kernel saying when.
const MOMENT: Duration = Duration::from_millis(1);

/// More bells than a socket holds, and still a bound.
const BELLS: usize = 4096;

/// Judges a failed receive from the own mailbox. Returns if trying again makes sense, after a pause where
/// that would spin.
fn weigh(error: &io::Error) {
    match Verdict::of(error) {
        Verdict::Passes if Verdict::passes_unseen(error) => poll::pause(MOMENT),
        Verdict::Passes => {}
        // A receive has no other side that could be at fault.
        Verdict::Ours | Verdict::Theirs | Verdict::Packet => last_words::leave_broken("its mailbox", error),
    }
}

/// A message that has come to the front of the mailbox.
struct Message {
    envelope: Envelope<()>,
    body: Body,
    fds: Vec<OwnedFd>,
}

impl Mailbox {
    pub(super) fn new(
        receiver: OwnedFd,
        buffer: Vec<u8>,
        status_page: &'static StatusPage,
        fd_store: Option<FdStore>,
        drain: Drain,
        recycling: Recycling,
    ) -> Mailbox {
        let durable = fd_store.is_some();
        let callers = Callers::inherit(fd_store, status_page.incarnation());
        let correction = Correction::default();
        Mailbox {
            receiver,
            status_page,
            buffer,
            correction,
            callers,
            durable,
            drain,
            recycling,
            methods: &[],
        }
    }

    pub(super) fn receiver(&self) -> &OwnedFd {
        &self.receiver
    }

    /// Handles messages until a stop or a fresh process is due; in a drain also those that are queued at that
    /// moment.
    pub(super) fn serve<A: Actor>(&mut self, actor: &mut A) {
        while let Some(message) = self.next() {
            self.handle(actor, message);
        }
        let drains = match self.drain {
            Drain::AtEnd => self.status_page.stop_requested() == Some(StopMode::Drain),
            // If a next process follows, the queued messages are for it.
            Drain::Always => !self.recycles(),
            Drain::Never => false,
        };
        if drains {
            // Not those that come later: two actors that talk to each other would never end.
            let queued = self.status_page.depth().load(SeqCst);
            for _ in 0..queued {
                let Some(message) = self.take(false) else { break };
                self.handle(actor, message);
            }
        }
    }

    /// Whether it ends to be replaced by a fresh process. A requested stop takes precedence.
    pub(super) fn recycles(&self) -> bool {
        self.recycling.is_due() && !signal::is_noted(process::SIGTERM)
    }

    /// Waits for the next message; `None` when the actor must end.
    fn next(&mut self) -> Option<Message> {
        loop {
            if signal::is_noted(process::SIGTERM) || self.recycling.is_due() {
                return None;
            }
            self.callers.flush();
            self.publish_unanswered();
            // Usually nothing else is pending, and one blocking receive is enough.
            let idle = self.status_page.depth().load(SeqCst) == 0
                && !self.callers.are_blocked()
                && self.recycling.due_in().is_none();
            if let Some(message) = self.take(idle) {
                self.correction.queue_moved();
                return Some(message);
            }
            if !idle && !signal::is_noted(process::SIGTERM) {
                self.wait();
            }
        }
    }

    /// Waits for a message, for room in callers' reply channels, and for what is due at a certain time.
    fn wait(&mut self) {
        let counting = self.correction.queue_is_empty(self.status_page);
        let limits = [counting, self.recycling.due_in(), self.callers.try_again_in()];
        let limit = limits.into_iter().flatten().min();
        let mut fds = vec![(self.receiver.as_fd(), false)];
        fds.extend(self.callers.blocked().map(|fd| (fd, true)));
        if limit.is_some() || fds.len() > 1 {
            match poll::wait(&fds, limit, None) {
                // What is broken is seen when it is read or written.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // More callers to wait for than this process may have descriptors, or no memory.
                Err(_) => poll::pause(MOMENT),
            }
        }
    }

    /// Takes the first message, and waits for it if `wait`. Also `None` for a wake-up and for what is not a
    /// message.
    fn take(&mut self, wait: bool) -> Option<Message> {
        loop {
            let packet = match self.first(wait) {
                Ok(Some(packet)) => packet,
                // Only code that does not know whose descriptor it closes shuts the mailbox of a living
                // process.
                Ok(None) if fd::has_ended(self.receiver.as_fd()) => {
                    last_words::leave_broken("its mailbox", "it has been shut down")
                }
                // An empty packet looks the same.
                Ok(None) => {
                    self.done_with_first();
                    return None;
                }
                Err(error) => {
                    weigh(&error);
                    return None;
                }
            };
            if packet.len <= 1 {
                // A wake-up by our own signal handler, or by a sender that finds no room. Without `wait`, look
                // further.
                self.done_with_first();
                if wait {
                    return None;
                }
                continue;
            }
            match self.read(packet) {
                Some(message) => return Some(message),
                // Not from this crate. Dropped, and counted as handled, so that it can be seen.
                None => {
                    capacity::release(self.status_page);
                    self.status_page.finish();
                    self.done_with_first();
                }
            }
        }
    }

    /// The first packet. One that stays in the mailbox is looked at again if no descriptor was free for what
    /// comes with it, with a raised limit on descriptors.
    fn first(&mut self, wait: bool) -> io::Result<Option<seqpacket::Packet>> {
        let socket = self.receiver.as_fd();
        if !self.durable {
            return seqpacket::receive(socket, &mut self.buffer, wait);
        }
        let first = seqpacket::peek(socket, &mut self.buffer, wait)?;
        if !first.as_ref().is_some_and(|packet| packet.truncated) {
            return Ok(first);
        }
        drop(first);
        rlimit::with_raised_descriptors(|| seqpacket::peek(socket, &mut self.buffer, false))
    }

    fn done_with_first(&self) {
        if self.durable {
            seqpacket::skip(self.receiver.as_fd());
        }
    }

    fn read(&mut self, packet: seqpacket::Packet) -> Option<Message> {
        let Envelope {
            session,
            seq,
            ask,
            method,
            deadline,
            limit,
            purges,
            #[cfg(debug_assertions)]
            via,
            announce,
            large,
            payload,
        } = parse::<Envelope>(&self.buffer[..packet.len])?;
        if packet.fds.iter().any(|fd| self.callers.have(fd.as_raw_fd())) {
            last_words::leave_broken("a socket of its own", "something else has come in by its number");
        }
        let mut fds = packet.fds.into_iter();
        let channel = if announce { fds.next() } else { None };
        // A caller that says that it sends its channel and does not is none of ours; unless no descriptor was
        // free for it here.
        let is_whole = channel.is_some() == announce && !packet.truncated;
        if !is_whole && !packet.truncated {
            return None;
        }
        if let Some(channel) = channel {
            self.callers.announce(session, channel);
            self.publish_unanswered();
        }
        if purges < self.status_page.purges() {
            // It was on its way while the mailbox was swept. Its caller is told that it is lost, so it must
            // be.
            return None;
        }
        let envelope = Envelope {
            session,
            seq,
            ask,
            method,
            deadline,
            limit,
            purges,
            #[cfg(debug_assertions)]
            via,
            announce,
            large,
            payload: (),
        };
        if !is_whole {
            self.refuse(&envelope);
            return None;
        }
        match Body::open(payload, large, &mut fds) {
            Ok(body) => Some(Message { envelope, body, fds: fds.collect() }),
            Err(error) => {
                self.answer(&envelope, Answer::codec(&error.to_string()));
                None
            }
        }
    }

    /// Drops a message whose descriptors did not fit into this process's table, and tells its caller so.
    fn refuse(&mut self, envelope: &Envelope<()>) {
        let error = format!(
            "no descriptor is free in the actor's process for what comes with this message ({} are allowed)",
            rlimit::descriptors()
        );
        if !envelope.ask {
            let method = method_name(self.methods, envelope.method);
            tracing::warn!(method, reason = %error, "dead letter");
        }
        self.answer(envelope, Answer::text(Status::Dropped, &error));
    }

    fn handle<A: Actor>(&mut self, actor: &mut A, message: Message) {
        let Message { envelope, body, fds } = message;
        let Envelope { session, seq, method, .. } = envelope;
        let ask = envelope.ask;
        let now = clock::now();
        // Begun by an earlier process that died of it, and counted out of the queue then.
        let again = self.durable && self.status_page.has_begun(session, seq);
        // The caller no longer waits: it has taken the call back, or its clock says so too.
        let expired = envelope.deadline != 0 && envelope.deadline <= now;
        if expired || ask && self.status_page.is_cancelled(session, seq) {
            return self.pass_over(&envelope, again);
        }
        self.status_page.count_attempt(again);
        // In this order: a reader that sees it out of the queue can rely on its being in progress.
        let limit = envelope.limit_from(now);
        self.status_page.begin(session, seq, method, limit);
        if again {
            self.status_page.settle_interrupted();
        } else {
            capacity::release(self.status_page);
        }
        if limit != 0 {
            crate::control::link::ask_to_watch();
        }
        let answer = self.run(actor, &envelope, &body, fds);
        context::leave_if_copy();
        if !ask && answer.status == Status::Codec {
            let reason = String::from_utf8_lossy(&answer.encoded.bytes);
            tracing::warn!(method = method_name(A::METHODS, method), %reason, "dead letter");
        }
        self.status_page.count_handled();
        if self.durable {
            // Until the reply is out, a death costs this call, and its caller is told so.
            self.status_page.enter(Phase::Answering);
            self.answer(&envelope, answer);
            self.status_page.enter(Phase::Idle);
            self.done_with_first();
        } else {
            self.status_page.enter(Phase::Idle);
            self.answer(&envelope, answer);
        }
        self.recycling.handled_one();
        actor.on_handled();
    }

    /// Does not run a message. The reply is for a caller that did not look at its clock.
    fn pass_over(&mut self, envelope: &Envelope<()>, again: bool) {
        if again {
            self.status_page.settle_interrupted();
        } else {
            capacity::release(self.status_page);
        }
        self.status_page.finish();
        self.answer(envelope, Answer::empty(Status::Expired));
        self.done_with_first();
    }

    fn run<A: Actor>(
        &self,
        actor: &mut A,
        envelope: &Envelope<()>,
        body: &Body,
        fds: Vec<OwnedFd>,
    ) -> Answer {
        let method = envelope.method;
        let handling = context::handling(envelope.deadline);
        #[cfg(debug_assertions)]
        context::set_chain(&envelope.via);
        let answer = if method >= links::EXIT {
            if let Some(down) = links::handle(method, body, fds, A::TRAPS_EXITS) {
                actor.on_exit(down);
            }
            Answer::empty(Status::Value)
        } else {
            let Envelope { ask, deadline, limit, .. } = *envelope;
            actor.handle(Call { method, body, fds, ask, deadline, limit })
        };
        drop(handling);
        answer
    }

    fn answer(&mut self, envelope: &Envelope<()>, answer: Answer) {
        if !envelope.ask {
            return;
        }
        let (session, seq, incarnation) = (envelope.session, envelope.seq, self.status_page.incarnation());
        if !self.callers.knows(session) {
            // Its channel did not come in, or is gone. The status page and the bell tell the caller instead.
            self.status_page.leave_unheard(session, seq);
            self.ring();
            return;
        }
        let now = match answer.later {
            None => Some(answer),
            Some(promise) => {
                promise.bind(|| self.callers.origin(session, seq, incarnation, envelope.deadline))
            }
        };
        if let Some(answer) = now {
            self.callers.answer(session, seq, incarnation, answer);
        }
        self.publish_unanswered();
    }

    fn ring(&self) {
        let rung = || seqpacket::send_raw(self.receiver.as_fd(), b"r", &[]);
        if rung().is_err()
            && let Some(sender) = own::own_mailbox()
        {
            // Full of bells, or broken, which the next receive finds. One bell must come after what was just
            // written.
            poll::drain_bell(sender, BELLS);
            let _ = rung();
        }
    }

    /// Publishes which callers would miss replies if this process died.
    fn publish_unanswered(&mut self) {
        if self.durable && self.callers.unanswered_have_changed() {
            self.status_page.list_unanswered(self.callers.unanswered());
        }
    }

    /// Deals with the message that the last process died of, or had just finished, if it is still there.
    pub(super) fn recover(&mut self, methods: &'static [Method]) {
        self.methods = methods;
        if !self.durable || self.status_page.incarnation() == 1 {
            return;
        }
        let interrupted = self.status_page.interrupted();
        let mut first = self.first(false);
        while let Err(error) = &first
            && Verdict::passes_unseen(error)
        {
            weigh(error);
            first = self.first(false);
        }
        if let Ok(Some(packet)) = first
            && let Some(message) = self.read(packet)
            && self.status_page.has_begun(message.envelope.session, message.envelope.seq)
        {
            let allowed = methods.get(message.envelope.method as usize).map_or(1, |method| method.attempts);
            if interrupted == 0 {
                self.done_with_first();
            } else if self.status_page.attempts() >= allowed {
                self.give_up(&message.envelope, methods, interrupted);
                self.done_with_first();
            } else {
                // Not settled before it is begun again: if this process dies until then, it must still be
                // repeated.
                return;
            }
        }
        self.status_page.settle_interrupted();
    }

    /// Reports a message as lost. The supervisor's exit record told its caller only if the caller looked in
    /// time; this reply cannot be missed.
    fn give_up(&mut self, envelope: &Envelope<()>, methods: &'static [Method], incarnation: u64) {
        let exit_record = self.status_page.death_of(incarnation).unwrap_or_else(ExitRecord::orphaned);
        let reason = &exit_record.reason;
        let method = method_name(methods, envelope.method);
        let attempts = self.status_page.attempts();
        if !envelope.ask || attempts > 1 {
            tracing::warn!(method, attempts, %reason, "dead letter");
        }
        if let Ok(encoded) = codec::encode(&exit_record) {
            self.answer(envelope, Answer::new(Status::Lost, encoded));
        }
    }
}
