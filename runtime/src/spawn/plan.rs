//! A future process, from the caller's side: its mailbox, the request to a supervisor, and the outcome.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::control::attributes::SpawnAttributes;
use crate::control::entry::{Entry, Hook};
use crate::control::fd_store::FdStore;
use crate::control::function::Function;
use crate::control::link::{PATIENCE, Tree};
use crate::control::request::{Kind, Spec};
use crate::ipc::codec::Encoded;
use crate::ipc::envelope::Envelope;
use crate::ipc::{bounds, channel};
use crate::logging;
use crate::policy::{self, Restart, Rules};
use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::{Card, Endpoint};
use crate::reactor::interrupt;
use crate::reactor::process_handle::Handle;
use crate::reactor::waiter::{Outcome, Waiter};
use crate::spawn::batch::{Batch, Node};
use crate::spawn::claim::Claim;
use crate::spawn::kept::{self, Kept};
use crate::spawn::tree;
use crate::status::{ExitRecord, State, StatusPage, cut};
use crate::supervisor::boot;
use crate::sys::executable::{self, Located};
use crate::sys::{clock, credentials, fd, process};
use crate::types::error::SpawnError;
use crate::types::options::Options;
use crate::types::output::Output;
use crate::types::spawn_error_kind::SpawnErrorKind;

/// How much longer than the start limit to wait for the supervisor's report.
const START_SLACK: Duration = Duration::from_secs(5);

/// A future process: everything but its type.
pub(crate) struct Plan {
    /// `None`: a task that is numbered when it is spawned.
    pub(crate) name: Option<String>,
    /// The prefix of its number.
    pub(crate) stem: &'static str,
    pub(crate) kind: Kind,
    /// `None` for a supervisor.
    pub(crate) entry: Option<&'static Located<Entry>>,
    pub(crate) init: Result<Encoded, String>,
    pub(crate) options: Options,
    /// What only a builder can set.
    pub(crate) attributes: SpawnAttributes,
    /// The functions that its processes call first.
    pub(crate) hooks: Vec<&'static Located<Hook>>,
    /// Its id below its supervisor.
    pub(crate) id: Option<String>,
    /// Its registered name, and its type.
    pub(crate) registered: Option<(String, &'static str)>,
    /// Its mailbox, if there is a ref to it already.
    pub(crate) mailbox: Option<Mailbox>,
    /// For a supervisor.
    pub(crate) policy: Option<Rules>,
    pub(crate) children: Vec<Plan>,
    /// What a supervisor runs before it forks.
    pub(crate) preload: Option<Function>,
    /// An error found before there was a caller to return it to.
    pub(crate) fault: Option<&'static str>,
    /// The program restarts it after its root supervisor died, if its restart type allows that.
    pub(crate) outlives_root: bool,
    /// Where its panics are printed: by the thread that has made the plan, since another one may spawn it for
    /// async code.
    pub(crate) printer: Option<u32>,
}

/// The endpoints of a future process and of all below it.
#[doc(hidden)]
pub struct Found {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) below: Vec<Found>,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("below", &self.below).finish_non_exhaustive()
    }
}

/// A mailbox and its status page, made before the process: refs to it may travel already.
pub(crate) struct Mailbox {
    pub(crate) endpoint: Arc<Endpoint>,
    receiver: OwnedFd,
}

impl Mailbox {
    fn new(name: &str, kind: Kind, entry: u64, options: &Options) -> Result<Mailbox, SpawnErrorKind> {
        let reactor = Reactor::get()?;
        let (sender, receiver) = channel::pair::<Envelope>()?;
        let capacity = options.mailbox();
        fd::widen(&sender, capacity);
        if kind == Kind::Supervisor {
            // Its mailbox takes requests for children.
            credentials::ask_for_senders(receiver.as_fd())?;
        }
        let status_page = StatusPage::create(capacity, kind == Kind::Task)?;
        let card = Card {
            id: process::random() | 2,
            name: name.into(),
            daemon: options.daemon,
            timeout: options.timeout(),
            depth: options.depth(),
        };
        status_page.sign(name, kind.to_word(), card.id, entry);
        status_page.date(std::process::id(), options.daemon);
        let endpoint = reactor.intern(Endpoint::new(card, sender, status_page))?;
        Ok(Mailbox { endpoint, receiver })
    }
}

/// Where a process starts.
enum Parent<'a> {
    /// Below the supervisor of this process.
    Own,
    Declared(&'a Arc<Endpoint>),
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Plan {
    pub(crate) fn new(
        kind: Kind,
        entry: Option<&'static Located<Entry>>,
        init: Result<Encoded, String>,
        options: Options,
    ) -> Plan {
        let name = options.name.map(str::to_owned);
        let (id, registered, mailbox, policy, children) = (None, None, None, None, Vec::new());
        let (attributes, hooks) = (SpawnAttributes::default(), Vec::new());
        Plan {
            name,
            stem: "Process",
            kind,
            entry,
            init,
            options,
            attributes,
            hooks,
            id,
            registered,
            mailbox,
            policy,
            children,
            preload: None,
            fault: None,
            outlives_root: true,
            printer: logging::printer(),
        }
    }

    /// Checks a plan and makes its mailboxes. Returns the endpoints.
    pub(crate) fn check_and_reserve(&mut self, declared: bool) -> Result<Found, SpawnError> {
        self.settle_name();
        self.check(declared)?;
        self.reserved()
    }

    /// Makes the mailboxes of a plan that is not complete yet. Returns the endpoints.
    pub(crate) fn reserved(&mut self) -> Result<Found, SpawnError> {
        self.make_mailboxes().map_err(|failure| failure.named(self.id()))?;
        self.found().ok_or_else(|| SpawnError::SupervisorDied { actor: self.id().to_owned() })
    }

    fn found(&self) -> Option<Found> {
        let endpoint = Arc::clone(&self.mailbox.as_ref()?.endpoint);
        Some(Found { endpoint, below: self.children.iter().map(Plan::found).collect::<Option<_>>()? })
    }

    /// Takes over the mailboxes that were made for `reserved`, and the names and ids that are known with
    /// them.
    pub(crate) fn with_mailboxes_of(self, reserved: Plan) -> Plan {
        let mut mailboxes = reserved.children.into_iter();
        let take = |child: Plan| match mailboxes.next() {
            Some(reserved) => child.with_mailboxes_of(reserved),
            None => child,
        };
        let children = self.children.into_iter().map(take).collect();
        // What the mailbox was made with, and its refs know.
        let capacity = Some(reserved.options.mailbox());
        let options = Options { daemon: reserved.options.daemon, mailbox: capacity, ..self.options };
        let Plan { name, mailbox, id, .. } = reserved;
        Plan { name, mailbox, id, options, children, ..self }
    }

    /// Starts it, and waits until it is ready, dead or too late.
    pub(crate) fn spawn(self) -> Result<Arc<Endpoint>, SpawnError> {
        let endpoint = self.start(&Parent::Own)?;
        tree::adopt(&endpoint);
        Ok(endpoint)
    }

    /// Spawns below a declared supervisor.
    pub(crate) fn spawn_below(self, supervisor: &Arc<Endpoint>) -> Result<Arc<Endpoint>, SpawnError> {
        self.start(&Parent::Declared(supervisor))
    }

    fn start(mut self, parent: &Parent<'_>) -> Result<Arc<Endpoint>, SpawnError> {
        self.settle_name();
        let name = self.title().to_owned();
        self.check(matches!(parent, Parent::Declared(_)))?;
        let mut claims = Vec::new();
        self.claim_names(&mut claims)?;
        let started = self.ask_for_it(parent).map_err(|failure| failure.named(&name));
        if started.is_err() {
            interrupt::park_if_interrupted();
        }
        let endpoint = logging::settle_if_failed(started)?;
        for claim in claims {
            if let Err(error) = claim.confirm() {
                // The registry is gone or does not reply. Without its names this is not the requested
                // process.
                let handle = Handle(&endpoint);
                let _ = handle.kill();
                let _ = handle.join_until(Some(clock::after(PATIENCE)));
                return Err(error);
            }
        }
        Ok(endpoint)
    }

    /// Reserves the registered names of this process and of all below it.
    fn claim_names(&mut self, claims: &mut Vec<Claim>) -> Result<(), SpawnError> {
        if let Some((name, type_name)) = self.registered.take() {
            self.make_mailboxes().map_err(|failure| failure.named(&name))?;
            if let Some(mailbox) = &self.mailbox {
                claims.push(Claim::new(&name, type_name, &mailbox.endpoint)?);
            }
        }
        self.children.iter_mut().try_for_each(|child| child.claim_names(claims))
    }

    /// Tasks without a name are numbered from 1 by the process that spawns them.
    fn settle_name(&mut self) {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let next = || format!("{}-{}", cut(self.stem, 200), NUMBER.fetch_add(1, Ordering::Relaxed));
        self.name.get_or_insert_with(next);
    }

    fn title(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Its id among its siblings, which is its name unless it has another.
    pub(crate) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(self.title())
    }

    /// Finds errors in it and all below it, before anything is started.
    fn check(&self, declared: bool) -> Result<(), SpawnError> {
        let name = self.title();
        let wrong = |error: &str| Err(SpawnError::Option { actor: name.to_owned(), error: error.to_owned() });
        if let Some(fault) = self.fault {
            return wrong(fault);
        }
        if let Err(fault) = self.options.check() {
            return wrong(fault);
        }
        let options = &self.options;
        if !(1..=bounds::SOUNDED).contains(&options.depth()) {
            return wrong(bounds::DEPTHS);
        }
        if let Ok(init) = &self.init
            && init.levels > options.depth()
        {
            let words = bounds::too_deep(init.levels, options.depth());
            let error = format!("cannot encode what it is made of: {words}");
            return Err(SpawnError::Codec { actor: name.to_owned(), error });
        }
        for (what, text) in [("name", Some(name)), ("id", self.id.as_deref())] {
            if text.is_some_and(|text| text.is_empty() || text.len() > 255 || text.contains(char::is_control))
            {
                return wrong(&format!("the option `{what}` has 1 to 255 bytes, and no control characters"));
            }
        }
        if let Err(error) = self.attributes.check() {
            return wrong(&error);
        }
        let specs = |error| SpawnError::Specs { supervisor: name.to_owned(), error };
        if !declared {
            policy::check_child(&Rules::default(), name, &options.rules(false)).map_err(specs)?;
        }
        let Some(rules) = &self.policy else { return Ok(()) };
        let of = |child: &Plan| child.options.rules(true);
        let children: Vec<_> = self.children.iter().map(|child| (child.id(), of(child))).collect();
        policy::check(rules, children.iter().map(|(id, rules)| (*id, rules))).map_err(specs)?;
        self.children.iter().try_for_each(|child| child.check(true))
    }

    /// How long it may take to be ready.
    fn start_limit(&self) -> Duration {
        self.kind.start_limit(&self.options)
    }

    /// Where its code is; 0 for a supervisor, which has none.
    fn entry_offset(&self) -> Result<u64, SpawnErrorKind> {
        let offset = match self.entry {
            Some(entry) => entry.offset(),
            // What it runs is the runtime itself.
            None => boot::is_in_executable().then_some(0),
        };
        offset.ok_or(SpawnErrorKind::NotInExecutable)
    }

    /// Writes into the status page of this process, and of all below it, the id of the supervisor above.
    fn put_below(&self, above: u64) {
        let Some(mailbox) = &self.mailbox else { return };
        mailbox.endpoint.status_page.put_below(above);
        self.children.iter().for_each(|child| child.put_below(mailbox.endpoint.card.id));
    }

    fn spec(&self, endpoint: &Endpoint, declared: bool) -> Result<Spec, SpawnErrorKind> {
        let offset = self.entry_offset()?;
        let card = &endpoint.card;
        // Its refs know these already.
        let (timeout, depth) = (Some(card.timeout), Some(card.depth));
        let preload = self
            .preload
            .map(|function| function.name().ok_or(SpawnErrorKind::NotInExecutable))
            .transpose()?;
        Ok(Spec {
            id: card.id,
            name: self.title().to_owned(),
            kind: self.kind,
            options: Options { timeout, depth, ..self.options },
            entry: offset,
            type_name: self.entry.map_or("", |entry| (entry.value.type_name)()).to_owned(),
            build: executable::build_hash(),
            parent: std::process::id(),
            log: logging::wish(),
            printer: self.printer,
            child_id: declared.then(|| self.id().to_owned()),
            policy: self.policy,
            attributes: self.attributes()?,
            preload,
            kept: false,
        })
    }

    fn attributes(&self) -> Result<Option<Box<SpawnAttributes>>, SpawnErrorKind> {
        let mut attributes = self.attributes.clone();
        // Applied in its order among the others.
        attributes.nice = self.options.nice;
        if let Some(declared) = self.options.output {
            for stream in &mut attributes.streams {
                stream.get_or_insert_with(|| Output::of(declared));
            }
        }
        for hook in &self.hooks {
            let offset = hook.offset().ok_or(SpawnErrorKind::NotInExecutable)?;
            attributes.hooks.push((offset, (hook.value.type_name)().to_owned()));
        }
        Ok((attributes != SpawnAttributes::default()).then(|| Box::new(attributes)))
    }

    /// Makes the missing mailboxes of this process and of all below it.
    pub(crate) fn make_mailboxes(&mut self) -> Result<(), SpawnErrorKind> {
        self.settle_name();
        if self.mailbox.is_none() {
            self.mailbox = Some(Mailbox::new(self.title(), self.kind, self.entry_offset()?, &self.options)?);
        }
        self.children.iter_mut().try_for_each(Plan::make_mailboxes)?;
        // Those that do not start with their supervisor take no messages before they are asked for.
        let first = self.policy.and_then(|rules| rules.first).map_or(usize::MAX, |first| first as usize);
        for mailbox in self.children.iter().skip(first).filter_map(|child| child.mailbox.as_ref()) {
            mailbox.endpoint.status_page.settle(State::Down);
        }
        Ok(())
    }

    fn ask_for_it(mut self, parent: &Parent<'_>) -> Result<Arc<Endpoint>, SpawnErrorKind> {
        let reactor = Reactor::get()?;
        let start = self.start_limit();
        self.make_mailboxes()?;
        let endpoint = self
            .mailbox
            .as_ref()
            .map(|mailbox| Arc::clone(&mailbox.endpoint))
            .ok_or(SpawnErrorKind::SupervisorDied)?;
        self.put_below(match parent {
            Parent::Own => 0,
            Parent::Declared(supervisor) => supervisor.card.id,
        });
        match parent {
            Parent::Own => {
                let tree = tree::get()?;
                let term = tree.term();
                let started = if tree.is_programs() && self.follows_the_root() {
                    self.start_kept(&tree, reactor, &endpoint, start)
                } else {
                    let sent = self.send(tree.control(), false);
                    tree.ring();
                    sent.and_then(|()| await_start(reactor, &endpoint, start, &|| tree.is_gone(term)))
                };
                started.map_err(|failure| match failure {
                    // The mailbox may have been seen to close before its supervisor was counted as ended.
                    SpawnErrorKind::SupervisorDied | SpawnErrorKind::Descriptors => {
                        tree.error().map_or(failure, SpawnErrorKind::from)
                    }
                    other => other,
                })?;
            }
            Parent::Declared(supervisor) => {
                if !supervisor.has_process() && supervisor.ended().is_some() {
                    return Err(SpawnErrorKind::SupervisorDied);
                }
                self.send(supervisor.mailbox(), true)?;
                await_start(reactor, &endpoint, start, &|| supervisor.is_dead())?;
            }
        }
        Ok(endpoint)
    }

    fn follows_the_root(&self) -> bool {
        self.outlives_root && self.options.rules(false).restart != Restart::Temporary
    }

    /// Starts what the program keeps, see [`kept`].
    fn start_kept(
        self,
        tree: &Arc<Tree>,
        reactor: &'static Reactor,
        endpoint: &Arc<Endpoint>,
        start: Duration,
    ) -> Result<(), SpawnErrorKind> {
        let kept = Arc::new(Kept::new(self.batch(false, true)?));
        kept::hold(tree, &kept)?;
        let is_gone = || tree.is_gone(tree.term());
        let sent = kept.send(tree.control()).map_err(unsent).and_then(|()| match kept.confirm(tree) {
            Ok(true) if is_gone() => Err(SpawnErrorKind::SupervisorDied),
            Ok(true) => Ok(()),
            Ok(false) => Err(SpawnErrorKind::Descriptors),
            Err(error) => Err(match unsent(error) {
                // The request had no room either.
                SpawnErrorKind::SupervisorDied if !is_gone() => SpawnErrorKind::Descriptors,
                failure => failure,
            }),
        });
        let was_sent = sent.is_ok();
        let started = sent.and_then(|()| await_start(reactor, endpoint, start, &is_gone));
        if started.is_err() {
            kept::release(&kept);
            if !was_sent {
                // It may have arrived all the same. Its supervisor does not start a process without a
                // mailbox, and ends one that lost it.
                kept.end();
                // A process that does not exist needs no kill.
                let _ = Handle(endpoint).kill();
            }
        }
        started
    }

    /// Requests it and all below it, then closes the ends that only their supervisor keeps.
    fn send(self, control: BorrowedFd<'_>, declared: bool) -> Result<(), SpawnErrorKind> {
        self.batch(declared, false)?.send_once(control).map_err(unsent)
    }

    /// The requests for it and all below it.
    fn batch(self, declared: bool, kept: bool) -> Result<Batch, SpawnErrorKind> {
        let mut plans = vec![(0, declared, self)];
        let mut at = 0;
        while at < plans.len() {
            let below: Vec<Plan> = std::mem::take(&mut plans[at].2.children);
            plans.extend(below.into_iter().map(|plan| (at as u32, true, plan)));
            at += 1;
        }
        let nodes = plans.into_iter().map(|(under, declared, plan)| plan.node(under, declared, kept));
        Ok(Batch::new(nodes.collect::<Result<_, _>>()?))
    }

    fn node(mut self, under: u32, declared: bool, kept: bool) -> Result<Node, SpawnErrorKind> {
        let Some(Mailbox { endpoint, receiver }) = self.mailbox.take() else {
            return Err(SpawnErrorKind::SupervisorDied);
        };
        let spec = Spec { kept, ..self.spec(&endpoint, declared)? };
        let has_callers = spec.kind != Kind::Supervisor;
        let fd_store = (kept && has_callers).then(FdStore::new).transpose()?;
        Ok(Node {
            under,
            spec,
            init: self.init.map_err(SpawnErrorKind::Codec)?,
            receiver,
            fd_store,
            endpoint,
        })
    }
}

fn unsent(error: io::Error) -> SpawnErrorKind {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => SpawnErrorKind::SupervisorDied,
        _ => error.into(),
    }
}

fn await_start(
    reactor: &'static Reactor,
    endpoint: &Arc<Endpoint>,
    start: Duration,
    supervisor_is_gone: &dyn Fn() -> bool,
) -> Result<(), SpawnErrorKind> {
    let waiter = Arc::new(Waiter::default());
    endpoint.on_ready(&waiter);
    reactor.visit(endpoint);
    reactor.wait(&waiter, Some(clock::after(start.saturating_add(START_SLACK))));
    match waiter.take() {
        Some(Outcome::Ready) => Ok(()),
        Some(Outcome::Dead(Some(exit_record))) => judge(&exit_record),
        // The mailbox closed unused: the request's descriptors did not fit into the supervisor.
        Some(Outcome::Dead(None)) if endpoint.status_page.pid() == 0 && !supervisor_is_gone() => {
            Err(SpawnErrorKind::Descriptors)
        }
        Some(Outcome::Dead(None)) => Err(SpawnErrorKind::SupervisorDied),
        _ => Err(SpawnErrorKind::StartTimeout(start, String::new())),
    }
}

/// An actor that ended so quickly that its readiness went unseen was started all the same.
fn judge(exit_record: &ExitRecord) -> Result<(), SpawnErrorKind> {
    match &exit_record.refusal {
        Some(refusal) => Err(refusal.clone()),
        None if exit_record.unready => Err(SpawnErrorKind::Died(exit_record.reason.clone())),
        None => Ok(()),
    }
}
