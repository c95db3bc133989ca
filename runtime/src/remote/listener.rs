//! The actor that strangers connect to: it listens, admits clients that know the secret, and forwards their
//! calls to the served actors.
//!
//! It is a process of its own, so neither the program nor a supervisor ever reads a byte from the network.
//! When it dies, the kernel closes its connections; another listener takes the same address, and the clients
//! connect again.
//!
//! **Threads.** The main thread replies to the manager. One accepts. Each connection has one that reads and,
//! once it is admitted, one that writes.

pub(crate) mod connections;
mod session;
pub(crate) mod writer;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use connections::{Place, Table};
use serde::{Deserialize, Serialize};

use super::error::RemoteError;
use super::registry::Registry;
use super::transport::tcp::Tcp;
use super::transport::{Port, Terms, Visitor, Wire};
use crate::actor::actor_ref::ActorRef;
use crate::actor::answer::Answer;
use crate::actor::call::Call;
use crate::actor::message::InitCodec;
use crate::actor::raw_ref::RawRef;
use crate::actor::reply::Reply;
use crate::actor::traits::{Actor, ActorStruct, Calls, InitFailure};
use crate::sys::poll;
use crate::types::method::Method;
use crate::types::options::Options;

/// How long to wait when a connection cannot be accepted, for instance for want of descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Room for the thread of a connection. It holds no message on its stack.
const STACK: usize = 256 * 1024;

/// The parameters of a listener.
#[derive(Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) address: String,
    pub(super) terms: Terms,
    pub(super) bounds: Bounds,
    pub(super) registry: ActorRef<Registry>,
}

/// Limits of a listener.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Bounds {
    pub(super) clients: usize,
    pub(super) strangers: usize,
    pub(super) in_flight: usize,
}

pub(super) struct Listener {
    address: String,
    shared: Arc<Shared>,
}

/// The state that all its threads share.
struct Shared {
    terms: Terms,
    bounds: Bounds,
    registry: ActorRef<Registry>,
    table: Table,
}

const OPEN: u32 = 0;
const REFUSALS: u32 = 1;
const CLIENTS: u32 = 2;
const CLOSE: u32 = 3;

/// Its messages.
#[derive(Clone)]
pub(super) struct ListenerCalls(RawRef);

impl ListenerCalls {
    pub(super) fn open(&self) -> Reply<SocketAddr, RemoteError> {
        self.0.ask_result(OPEN, ())
    }

    pub(super) fn refusals(&self) -> Reply<Vec<RemoteError>> {
        self.0.ask(REFUSALS, ())
    }

    pub(super) fn clients(&self) -> Reply<usize> {
        self.0.ask(CLIENTS, ())
    }

    pub(super) fn close(&self, grace: Duration) -> Reply<()> {
        self.0.ask(CLOSE, grace)
    }
}

impl Calls for ListenerCalls {
    fn from_raw(raw: RawRef) -> ListenerCalls {
        ListenerCalls(raw)
    }

    fn raw(&self) -> &RawRef {
        &self.0
    }
}

impl ActorStruct for Listener {
    type Calls = ListenerCalls;
    const OPTIONS: Options = Options { name: Some("remote-listener"), ..Options::DEFAULT };
}

impl Actor for Listener {
    type Init = Plan;
    const CODEC: InitCodec<Plan> = InitCodec::NEW;
    const METHODS: &'static [Method] =
        &[Method::ask("open"), Method::ask("refusals"), Method::ask("clients"), Method::ask("close")];

    fn init(plan: Plan) -> Result<Listener, InitFailure> {
        let Plan { address, terms, bounds, registry } = plan;
        // The previous listener used this address, and the clients know it.
        let known = registry.address().wait().map_err(InitFailure::new)?;
        let shared = Arc::new(Shared { terms, bounds, registry, table: Table::default() });
        let listener = Listener { address: known.clone().unwrap_or(address), shared };
        if known.is_some() {
            listener.open().map_err(InitFailure::new)?;
        }
        Ok(listener)
    }

    fn handle(&mut self, call: Call<'_>) -> Answer {
        let table = &self.shared.table;
        match call.method() {
            OPEN => call.ask_result(|()| self.open()),
            REFUSALS => call.ask(|()| table.refusals()),
            CLIENTS => call.ask(|()| table.clients()),
            CLOSE => call.ask(|grace| table.close(grace)),
            _ => call.unknown(),
        }
    }

    fn on_stop(&mut self) {
        self.shared.table.close(Duration::ZERO);
    }
}

impl Listener {
    fn open(&self) -> Result<SocketAddr, RemoteError> {
        let port = Tcp.listen(&self.address)?;
        let address = port.address();
        let local = |error: &dyn std::fmt::Display| RemoteError::Local { error: error.to_string() };
        self.shared.registry.listening(&address.to_string()).wait().map_err(|error| local(&error))?;
        let shared = Arc::clone(&self.shared);
        let accepting = thread::Builder::new().name("accept".to_owned());
        accepting.spawn(move || accept(&shared, &*port)).map_err(|error| local(&error))?;
        Ok(address)
    }
}

/// The thread that waits for connections.
fn accept(shared: &Arc<Shared>, port: &dyn Port) {
    loop {
        match port.accept() {
            Ok(visitor) => receive(shared, visitor),
            // The connection was closed before it was accepted.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                poll::pause(BREATH);
            }
        }
    }
}

/// Admits a visitor and serves it, if the limit of clients allows.
fn meet(shared: &Arc<Shared>, visitor: Box<dyn Visitor>, place: &Place) -> Result<(), RemoteError> {
    let busy = RemoteError::Busy { peer: visitor.who().to_owned() };
    if shared.table.clients() >= shared.bounds.clients {
        visitor.turn_away(&shared.terms);
        return Err(busy);
    }
    let link = visitor.admit(&shared.terms)?;
    if shared.table.admit(place, shared.bounds.clients) {
        session::serve(shared, link)
    } else {
        // Other clients were admitted meanwhile.
        session::refuse(link, busy)
    }
}

/// Gives a new connection its thread.
fn receive(shared: &Arc<Shared>, visitor: Box<dyn Visitor>) {
    let bounds = shared.bounds;
    let Some(place) = shared.table.enter(visitor.cut(), bounds.strangers) else { return };
    let for_thread = Arc::clone(shared);
    let reading = thread::Builder::new().name("read".to_owned()).stack_size(STACK);
    let spawned = reading.spawn(move || {
        let shared = for_thread;
        let began = Instant::now();
        if let Err(error) = meet(&shared, visitor, &place) {
            let after = began.elapsed();
            tracing::warn!(%error, ?after, "a connection was refused");
            shared.table.refuse(error);
        }
        shared.table.leave(place);
    });
    if let Err(error) = spawned {
        // The visitor went with the closure. Its row is replaced when the limit of strangers is reached.
        tracing::warn!(%error, "cannot serve a connection");
    }
}
