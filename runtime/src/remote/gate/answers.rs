//! The answers of one connection, in the order in which they come. One thread writes them, and nothing but this: whoever does not read its answers holds
//! up nobody else.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::Shared;
use crate::relay::Outcome;
use crate::remote::error::RemoteError;
use crate::remote::messages::{Incoming, encode};
use crate::remote::wire::Outward;
use crate::reply::Reply;

/// What the writer is told. Of each kind there is at most one per call that waits, and their number is bounded.
enum Event {
    /// A call has been handed on.
    Expect(u64, Reply<()>, Counted),
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
    waiting: HashMap<u64, (Reply<()>, Counted)>,
    outward: Box<dyn Outward>,
    beat: Duration,
}

/// A call that waits for its answer, in the two counts that it is in: of its connection, and of all.
struct Counted {
    here: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.here.fetch_sub(1, SeqCst);
        self.shared.table.calls().fetch_sub(1, SeqCst);
    }
}

pub(super) fn channel(shared: &Arc<Shared>, outward: Box<dyn Outward>, beat: Duration) -> (Answers, Writer) {
    let (own, events) = mpsc::channel();
    let answers = Answers { events: own.clone(), waiting: Arc::default(), shared: Arc::clone(shared) };
    (answers, Writer { events, own, waiting: HashMap::new(), outward, beat })
}

impl Answers {
    /// How many calls wait for their answers.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    pub(super) fn expect(&self, number: u64, reply: Reply<()>) {
        self.waiting.fetch_add(1, SeqCst);
        self.shared.table.calls().fetch_add(1, SeqCst);
        let counted = Counted { here: Arc::clone(&self.waiting), shared: Arc::clone(&self.shared) };
        let _ = self.events.send(Event::Expect(number, reply, counted));
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
        let mut next_beat = Instant::now() + self.beat;
        loop {
            let event = self.events.recv_timeout(next_beat.saturating_duration_since(Instant::now()));
            let message = match event {
                Ok(Event::Expect(number, reply, counted)) => {
                    self.waiting.insert(number, (reply, counted));
                    self.look(number)
                }
                Ok(Event::Look(number)) => self.look(number),
                Ok(Event::Ready(number, outcome)) => Some(Incoming::Answer(number, outcome)),
                Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => Some(Incoming::Beat),
            };
            if let Some(message) = message {
                self.send(&message)?;
                next_beat = Instant::now() + self.beat;
            }
        }
    }

    /// The answer to a call, if it is there.
    fn look(&mut self, number: u64) -> Option<Incoming> {
        let (reply, _) = self.waiting.get_mut(&number)?;
        let bell = Waker::from(Arc::new(Bell { number, events: self.own.clone() }));
        match Pin::new(reply).poll_encoded(&mut Context::from_waker(&bell)) {
            Poll::Pending => None,
            Poll::Ready(outcome) => {
                self.waiting.remove(&number);
                Some(Incoming::Answer(number, outcome))
            }
        }
    }

    fn send(&mut self, message: &Incoming) -> Result<(), RemoteError> {
        let sent = self.outward.send(&encode(message));
        match (sent, message) {
            (Err(error @ RemoteError::TooLarge { .. }), Incoming::Answer(number, _)) => {
                let failure = crate::relay::Failure::Codec(format!("the answer is too large: {error}"));
                self.outward.send(&encode(&Incoming::Answer(*number, Outcome::Failed(failure))))
            }
            (sent, _) => sent,
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
