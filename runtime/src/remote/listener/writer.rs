//! Writes the replies of one connection, in the order in which they come. One thread does nothing else, so a
//! client that does not read its replies holds up no other client.

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

/// An event for the writer. Each waiting call has at most one of each kind, and the number of calls is
/// bounded.
enum Event {
    /// A call has been forwarded.
    Expect(u64, Waiting),
    /// A call may have its reply.
    Look(u64),
    /// A call was replied to without the actor.
    Ready(u64, Outcome),
    /// The client has gone.
    End,
}

/// The reader's end of the channel.
pub(super) struct Answers {
    events: Sender<Event>,
    waiting: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

/// The writer's end of the channel.
pub(super) struct Writer {
    events: Receiver<Event>,
    own: Sender<Event>,
    waiting: HashMap<u64, Waiting>,
    outward: Box<dyn Outward>,
    /// For the replies of a queue.
    desk: Option<Arc<Desk>>,
    beat: Duration,
}

/// A call that waits for its reply.
struct Waiting {
    reply: Reply<()>,
    care: Option<Care>,
    counted: Counted,
}

/// A reply that has come.
struct Found {
    number: u64,
    outcome: Outcome,
    /// For a queue: the items in the reply.
    items: Option<Sent>,
    _counted: Option<Counted>,
}

/// Counts a call until its reply has been sent: for its connection, and for a shutdown, which waits for all
/// counted calls. A shutdown does not wait for calls that wait in a queue, perhaps for ever.
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
    /// How many calls wait for their replies.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Counts a call before it is forwarded, so before the actor can begin with it.
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

    /// Takes the reply to a call, if it has come.
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

/// Woken when a reply has come.
struct Bell {
    number: u64,
    events: Sender<Event>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _ = self.events.send(Event::Look(self.number));
    }
}
