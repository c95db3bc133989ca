//! The actor on this host that stands for one of another host: its mailbox takes the messages of that actor's
//! type, and it forwards them.
//!
//! The proxy reads the bytes of the manager. It sends a call when its turn comes, and passes replies on in
//! the order in which they come, so many calls can be under way. It keeps nothing for a lost link: a call
//! that was not sent fails as not executed, a call that was sent as unknown.
//!
//! **Threads.** The main thread sends. One receives, and connects again when the link is lost. One sends
//! beats.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes};

use super::error::RemoteError;
use super::protocol::{Incoming, Outgoing, Request, Response, Welcome, decode, encode};
use super::transport::tcp::Tcp;
use super::transport::{Cut, Inward, Link, Outward, Terms, Wire};
use crate::actor::answer;
use crate::actor::any_ref::AnyRef;
use crate::actor::call::Call;
use crate::actor::deferred::{self, Answer};
use crate::actor::forwarded::{Failure, Outcome};
use crate::actor::message::InitCodec;
use crate::actor::raw_ref::RawRef;
use crate::actor::reply::Reply;
use crate::actor::traits::{Actor, ActorStruct, Calls, InitFailure};
use crate::ipc::codec::{self, Encoded};
use crate::ipc::envelope::Status;
use crate::queue::remote::{self, Outward as Way};
use crate::sys::{clock, poll};
use crate::types::error::Executed;
use crate::types::method::Method;
use crate::types::options::Options;

/// The number of the proxy's own message, beyond all methods.
const CONNECT: u32 = 1 << 30;

/// How long an ending proxy waits until the manager has read all its messages.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// The parameters of a proxy.
#[derive(Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) address: String,
    pub(super) terms: Terms,
    pub(super) request: Request,
    /// Whether the service is a queue.
    pub(super) queue: bool,
    pub(super) backoff: (Duration, Duration),
}

pub(super) struct Proxy {
    client: Arc<Client>,
}

/// The state that its threads share.
struct Client {
    plan: Plan,
    line: Mutex<Line>,
    /// Signals that the line is gone.
    gone: Condvar,
    calls: Mutex<HashMap<u64, Answer<()>>>,
    next: AtomicU64,
    /// For a queue: the processes of this host that may hold leases, by the proxy's numbers.
    holders: Mutex<HashMap<u64, AnyRef>>,
}

/// The state of the link to the manager.
enum Line {
    Up {
        outward: Box<dyn Outward>,
        /// The manager's numbers of this side's methods.
        methods: Vec<u32>,
    },
    /// Not connected, and why.
    Down(String),
}

/// The receiving end of a link.
struct Ends {
    inward: Box<dyn Inward>,
    cut: Arc<dyn Cut>,
}

/// Its own message; those of the remote actor are sent through that actor's calls.
#[derive(Clone)]
pub(super) struct ProxyCalls(RawRef);

impl ProxyCalls {
    /// Connects, and returns the manager's facts about the service.
    pub(super) fn connect(&self) -> Reply<Welcome, RemoteError> {
        self.0.ask_result(CONNECT, ())
    }
}

impl Calls for ProxyCalls {
    fn from_raw(raw: RawRef) -> ProxyCalls {
        ProxyCalls(raw)
    }

    fn raw(&self) -> &RawRef {
        &self.0
    }
}

impl ActorStruct for Proxy {
    type Calls = ProxyCalls;
    const OPTIONS: Options = Options { name: Some("remote"), ..Options::DEFAULT };
}

impl Actor for Proxy {
    type Init = Plan;
    const CODEC: InitCodec<Plan> = InitCodec::NEW;
    const METHODS: &'static [Method] = &[];

    fn init(plan: Plan) -> Result<Proxy, InitFailure> {
        let client = Client {
            plan,
            line: Mutex::new(Line::Down("not connected yet".to_owned())),
            gone: Condvar::new(),
            calls: Mutex::default(),
            next: AtomicU64::new(1),
            holders: Mutex::default(),
        };
        Ok(Proxy { client: Arc::new(client) })
    }

    fn handle(&mut self, call: Call<'_>) -> answer::Answer {
        match call.method() {
            CONNECT => call.ask_result(|()| Client::start(&self.client)),
            _ => Client::hand_on(&self.client, call),
        }
    }

    fn on_stop(&mut self) {
        self.client.note_exit();
    }
}

/// Connects, sends the plan's request, and waits for the reply: at most `handshake` and `silence` together.
pub(super) fn bind(plan: &Plan) -> Result<(Link, Welcome), RemoteError> {
    let mut link = Tcp.connect(&plan.address, &plan.terms)?;
    link.outward.send(&encode(&plan.request))?;
    match decode(&link.who, &link.inward.receive()?)? {
        Response::Welcome(welcome) => Ok((link, welcome)),
        Response::Refused(error) => Err(error),
    }
}

impl Client {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holders(&self) -> MutexGuard<'_, HashMap<u64, AnyRef>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<u64, Answer<()>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the first connection, and starts the threads that keep it.
    fn start(client: &Arc<Client>) -> Result<Welcome, RemoteError> {
        let (link, welcome) = bind(&client.plan)?;
        let ends = client.take_up(link, welcome.methods.clone());
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        let (receiver, beater) = (Arc::clone(client), Arc::clone(client));
        let spawned = thread("receive").spawn(move || receiver.keep_up(ends));
        let spawned = spawned.and_then(|_| thread("beat").spawn(move || beater.beat()));
        spawned.map_err(|error| RemoteError::Local { error: error.to_string() })?;
        Ok(welcome)
    }

    /// Takes a new link into use; returns the ends for the receiving thread.
    fn take_up(&self, link: Link, methods: Vec<u32>) -> Ends {
        let Link { mut outward, inward, cut, .. } = link;
        let mut line = self.line();
        // The manager has forgotten the holders with the last connection.
        for number in self.holders().keys() {
            let _ = outward.send(&encode(&Outgoing::<ByteBuf>::Introduce(*number)));
        }
        *line = Line::Up { outward, methods };
        Ends { inward, cut }
    }

    /// Sends a message that is no call, if the link is up.
    fn say(&self, message: &Outgoing) {
        if let Line::Up { outward, .. } = &mut *self.line() {
            // If it cannot be sent, the receiving thread notices.
            let _ = outward.send(&encode(message));
        }
    }

    /// A process of this host will hold leases. Returns its number.
    fn introduce(client: &Arc<Client>, process: AnyRef) -> u64 {
        if let Some((number, _)) = client.holders().iter().find(|(_, known)| **known == process) {
            return *number;
        }
        let number = client.next.fetch_add(1, Relaxed);
        let monitor = process.monitor();
        client.holders().insert(number, process);
        client.say(&Outgoing::Introduce(number));
        let client = Arc::clone(client);
        monitor.on_down(move |_| {
            client.holders().remove(&number);
            client.say(&Outgoing::Ended(number));
        });
        number
    }

    // Sending.

    /// Forwards a message to the remote actor.
    fn hand_on(client: &Arc<Client>, mut call: Call<'_>) -> answer::Answer {
        let fds = std::mem::take(&mut call.fds);
        let args = if client.plan.queue {
            match remote::outward(call.method, call.body, fds) {
                Ok(Way::Introduce(process)) => {
                    return answer::Answer::of(Status::Value, Client::introduce(client, process));
                }
                Ok(Way::Plain(args)) => Some(args),
                Ok(Way::AsItIs) => None,
                Err(error) => return answer::Answer::codec(&error),
            }
        } else if fds.is_empty() {
            None
        } else {
            return answer::Answer::codec(
                "a ref or another descriptor is in the arguments: it means nothing to another host",
            );
        };
        let (later, answer) = deferred::later::<()>();
        match client.send(&call, args.as_deref().unwrap_or(call.body), answer) {
            Ok(()) => answer::Answer { later: later.into_promise(), ..answer::Answer::empty(Status::Value) },
            Err(failure) => {
                if !call.ask {
                    tracing::warn!(to = crate::actor::current::current().name(), reason = ?failure, "dead letter");
                }
                failed(failure)
            }
        }
    }

    /// Sends a call, and registers its reply. A thread that takes the link down waits for this lock, so every
    /// registered call has been sent.
    fn send(&self, call: &Call<'_>, args: &[u8], answer: Answer<()>) -> Result<(), Failure> {
        let not_sent = |why: &str| Failure::Disconnected(Executed::No, why.to_owned());
        let mut line = self.line();
        let (outward, methods) = match &mut *line {
            Line::Up { outward, .. } if outward.is_cut() => return Err(not_sent("the link is lost")),
            Line::Up { outward, methods } => (outward, methods),
            Line::Down(why) => return Err(not_sent(why)),
        };
        let unknown = || Failure::Codec("there is no such method".to_owned());
        let method = *methods.get(call.method as usize).ok_or_else(unknown)?;
        let number = self.next.fetch_add(1, Relaxed);
        let message = Outgoing::Call {
            answer_to: call.ask.then_some(number),
            method,
            within: (call.deadline != 0).then(|| clock::until(call.deadline)),
            limit: call.limit,
            args: Bytes::new(args),
        };
        if call.ask {
            // Before sending: the reply may come at once.
            self.calls().insert(number, answer);
        }
        outward.send(&encode(&message)).map_err(|error| {
            drop(self.calls().remove(&number));
            match error {
                RemoteError::TooLarge { .. } => Failure::Codec(error.to_string()),
                // The message has not left this host as a whole, so it cannot have been read.
                error => not_sent(&error.to_string()),
            }
        })
    }

    fn beat(&self) {
        loop {
            poll::pause(self.plan.terms.silence / 3);
            self.say(&Outgoing::Beat);
        }
    }

    // Receiving.

    /// Passes replies on, and connects again whenever the link is lost.
    fn keep_up(&self, mut ends: Ends) {
        loop {
            let lost = self.receive(&mut *ends.inward).to_string();
            // Wakes a sender that waits on this link.
            ends.cut.cut();
            tracing::warn!(manager = self.plan.address, reason = lost, "the link to a manager is lost");
            // First the line, so that no call is sent on a lost link; then the calls that were sent.
            *self.line() = Line::Down(lost.clone());
            self.gone.notify_all();
            let calls = std::mem::take(&mut *self.calls());
            for answer in calls.into_values() {
                answer.send_encoded(failed(Failure::Disconnected(Executed::Unknown, lost.clone())));
            }
            ends = self.connect_again();
        }
    }

    /// Passes replies on until the link ends; returns why.
    fn receive(&self, inward: &mut dyn Inward) -> RemoteError {
        loop {
            match inward.receive().and_then(|message| decode(&self.plan.address, &message)) {
                Ok(Incoming::Answer(number, outcome)) => {
                    // Bound to a variable, to release the lock: sending must not hold up the next call.
                    let answer = self.calls().remove(&number);
                    if let Some(answer) = answer {
                        answer.send_encoded(handed_out(outcome));
                    }
                }
                Ok(Incoming::Beat) => {}
                Err(error) => return error,
            }
        }
    }

    fn connect_again(&self) -> Ends {
        let (mut delay, longest) = self.plan.backoff;
        loop {
            match bind(&self.plan) {
                Ok((link, welcome)) => {
                    tracing::info!(manager = self.plan.address, "connected again");
                    return self.take_up(link, welcome.methods);
                }
                Err(error) => *self.line() = Line::Down(error.to_string()),
            }
            poll::pause(delay);
            delay = longest.min(delay * 2);
        }
    }

    /// Waits until the manager has read everything: it hangs up then.
    fn note_exit(&self) {
        let mut line = self.line();
        if let Line::Up { outward, .. } = &mut *line {
            outward.finish();
            let is_up = |line: &mut Line| matches!(line, Line::Up { .. });
            drop(self.gone.wait_timeout_while(line, LAST_WAIT, is_up));
        }
    }
}

/// A remote outcome in the caller's format.
fn handed_out(outcome: Outcome) -> answer::Answer {
    let encoded = |bytes: ByteBuf| Encoded { bytes: bytes.into_vec(), ..Encoded::default() };
    match outcome {
        Outcome::Value(bytes) => answer::Answer::new(Status::Value, encoded(bytes)),
        Outcome::App(bytes) => answer::Answer::new(Status::App, encoded(bytes)),
        Outcome::Failed(failure) => failed(failure),
    }
}

fn failed(failure: Failure) -> answer::Answer {
    match codec::encode(&failure) {
        Ok(encoded) => answer::Answer::new(Status::Relayed, encoded),
        Err(error) => answer::Answer::codec(&error),
    }
}
