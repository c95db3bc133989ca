//! The answers of one connection, in the order in which they come. One thread writes them, and nothing but this: whoever does not read its answers holds
//! up nobody else.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use serde_bytes::ByteBuf;

use super::Shared;
use crate::actor::forwarded::{Failure, Outcome};
use crate::actor::reply::{Packed, Reply};
use crate::ipc::envelope::Status;
use crate::queue::remote::{Care, Desk, Sent};
use crate::remote::error::RemoteError;
use crate::remote::protocol::{Incoming, encode};
use crate::remote::transport::Outward;

/// What the writer is told. Of each kind there is at most one per call that waits, and their number is bounded.
enum Event {
    /// A call has been handed on.
    Expect(u64, Waiting),
    /// The answer to one may be there.
    Look(u64),
    /// One was answered without the actor.
    Ready(u64, Outcome),
    /// The client has gone.
    End,
}

/// The reader's side of it.
pub(super) struct Answers {
    events: Sender<Event>,
    waiting: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

/// The writer's.
pub(super) struct Writer {
    events: Receiver<Event>,
    own: Sender<Event>,
    waiting: HashMap<u64, Waiting>,
    outward: Box<dyn Outward>,
    /// If it is a queue whose answers these are.
    desk: Option<Arc<Desk>>,
    beat: Duration,
}

/// A call that waits for its answer.
struct Waiting {
    reply: Reply<()>,
    care: Option<Care>,
    counted: Counted,
}

/// An answer that is there.
struct Found {
    number: u64,
    outcome: Outcome,
    /// Of a queue.
    items: Option<Sent>,
    _counted: Option<Counted>,
}

/// The counts that a call is in until its answer has been sent: of its connection, and of all that a shutdown waits for. That does not wait for those who wait in a
/// queue, which may be for ever.
pub(super) struct Counted {
    here: Arc<AtomicUsize>,
    all: Option<Arc<Shared>>,
}

impl Counted {
    fn new(answers: &Answers, waits_in_queue: bool) -> Counted {
        answers.waiting.fetch_add(1, SeqCst);
        let all = (!waits_in_queue).then(|| Arc::clone(&answers.shared));
        if let Some(shared) = &all {
            shared.table.calls().fetch_add(1, SeqCst);
        }
        Counted { here: Arc::clone(&answers.waiting), all }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.here.fetch_sub(1, SeqCst);
        if let Some(shared) = &self.all {
            shared.table.calls().fetch_sub(1, SeqCst);
        }
    }
}

pub(super) fn channel(
    shared: &Arc<Shared>,
    outward: Box<dyn Outward>,
    desk: Option<Arc<Desk>>,
    beat: Duration,
) -> (Answers, Writer) {
    let (own, events) = mpsc::channel();
    let answers = Answers { events: own.clone(), waiting: Arc::default(), shared: Arc::clone(shared) };
    (answers, Writer { events, own, waiting: HashMap::new(), outward, desk, beat })
}

impl Answers {
    /// How many calls wait for their answers.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Counts a call that is about to be handed on: before anybody can have begun with it.
    pub(super) fn count(&self, care: Option<Care>) -> Counted {
        Counted::new(self, care.is_some())
    }

    pub(super) fn expect(&self, number: u64, reply: Reply<()>, care: Option<Care>, counted: Counted) {
        let _ = self.events.send(Event::Expect(number, Waiting { reply, care, counted }));
    }

    pub(super) fn ready(&self, number: u64, outcome: Outcome) {
        let _ = self.events.send(Event::Ready(number, outcome));
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        let _ = self.events.send(Event::End);
    }
}

impl Writer {
    /// Writes until the client has gone.
    pub(super) fn run(mut self) -> Result<(), RemoteError> {
        let outcome = self.write();
        if let Some(desk) = &self.desk {
            desk.close(self.waiting.values().filter_map(|waiting| waiting.care));
        }
        outcome
    }

    fn write(&mut self) -> Result<(), RemoteError> {
        let mut next_beat = Instant::now() + self.beat;
        loop {
            let event = self.events.recv_timeout(next_beat.saturating_duration_since(Instant::now()));
            let answer = match event {
                Ok(Event::Expect(number, waiting)) => {
                    self.waiting.insert(number, waiting);
                    self.look(number)
                }
                Ok(Event::Look(number)) => self.look(number),
                Ok(Event::Ready(number, outcome)) => {
                    Some(Found { number, outcome, items: None, _counted: None })
                }
                Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    self.outward.send(&encode(&Incoming::Beat))?;
                    next_beat = Instant::now() + self.beat;
                    None
                }
            };
            if let Some(found) = answer {
                self.send(found)?;
                next_beat = Instant::now() + self.beat;
            }
        }
    }

    /// The answer to a call, if it is there.
    fn look(&mut self, number: u64) -> Option<Found> {
        let waiting = self.waiting.get_mut(&number)?;
        let bell = Waker::from(Arc::new(Bell { number, events: self.own.clone() }));
        let Poll::Ready(answer) = Pin::new(&mut waiting.reply).poll_encoded(&mut Context::from_waker(&bell))
        else {
            return None;
        };
        let Waiting { care, counted, .. } = self.waiting.remove(&number)?;
        let (outcome, items) = match (answer, &self.desk, care) {
            (Ok(Packed { status: Status::Value, body, fds }), Some(desk), Some(care)) => {
                match desk.outward(care, &body, fds) {
                    Ok((plain, items)) => (Outcome::Value(plain), items),
                    Err(error) => (Outcome::Failed(Failure::Codec(error)), None),
                }
            }
            (Ok(Packed { fds, .. }), ..) if !fds.is_empty() => {
                let error = "a ref or another descriptor is in the reply: it means nothing to another host";
                (Outcome::Failed(Failure::Codec(error.to_owned())), None)
            }
            (Ok(Packed { status: Status::App, body, .. }), ..) => {
                (Outcome::App(ByteBuf::from(&body[..])), None)
            }
            (Ok(Packed { body, .. }), ..) => (Outcome::Value(ByteBuf::from(&body[..])), None),
            (Err(failure), ..) => (Outcome::Failed(failure), None),
        };
        Some(Found { number, outcome, items, _counted: Some(counted) })
    }

    fn send(&mut self, found: Found) -> Result<(), RemoteError> {
        let Found { number, outcome, items, _counted } = found;
        let sent = self.outward.send(&encode(&Incoming::Answer(number, outcome)));
        if let (Some(desk), Some(items)) = (&self.desk, items) {
            match sent {
                Ok(()) => desk.was_sent(&items),
                Err(_) => desk.was_not_sent(items),
            }
        }
        match sent {
            Err(error @ RemoteError::TooLarge { .. }) => {
                let failure = Failure::Codec(format!("the reply is too large: {error}"));
                self.outward.send(&encode(&Incoming::Answer(number, Outcome::Failed(failure))))
            }
            sent => sent,
        }
    }
}

/// Rung when an answer is there.
struct Bell {
    number: u64,
    events: Sender<Event>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _ = self.events.send(Event::Look(self.number));
    }
}
