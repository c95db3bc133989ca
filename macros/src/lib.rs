//! The attributes of `phalanx`: [`macro@actor`], [`macro@supervisor`], [`macro@task`] and [`macro@main`]. Use
//! them through that crate, which re-exports them.
//!
//! A macro is a pipeline: the syntax is read into a model, the model is checked, and its correct parts are
//! expanded. Errors are collected on the way, so that all errors of one annotation are shown at once.
//! Expansions refer to the runtime by `phalanx::__private` only.

mod actor;
mod errors;
mod helpers;
mod main_fn;
mod options;
mod signature;
#[cfg(test)]
mod snapshots;
mod supervisor;
mod task;
mod util;

use proc_macro::TokenStream;

/// Makes an actor of a struct: its value lives in a process of its own, and its methods are messages.
///
/// The attribute stands on the struct and on *one* of its impl blocks:
///
/// ```text
/// #[actor]
/// struct WordCount { total: u64 }
///
/// #[actor]
/// impl WordCount {
///     fn add(&mut self, text: String) -> u64 { .. }    // ask: `count.add(text)` returns a `Reply<u64>`
///     #[tell]
///     fn reset(&mut self) { .. }                       // tell: `count.reset()` only waits for room
/// }
///
/// let count = WordCount { total: 0 }.spawn()?;         // a new process
/// let total = count.add("to be".into()).wait()?;
/// ```
///
/// # On the struct
///
/// The struct gets serde's `Serialize` and `Deserialize`, unless it derives them itself *below* this
/// attribute or has `no_derive`. A field that serde cannot carry is fine as long as the actor is made by an
/// `#[init]`. Field attributes of serde hold.
///
/// | option | meaning |
/// |---|---|
/// | `name = "cache"` | name of the process, in `ps` and in errors |
/// | `mailbox = 256` | how many messages can wait, 1 to 65535 |
/// | `daemon` | is terminated when the program ends, instead of waited for |
/// | `deadline = "2s"` | a handler that takes longer is killed |
/// | `start_timeout = "5s"` | how long the actor may take to become ready |
/// | `shutdown = "5s"` | how long a graceful stop may take before the process is killed |
/// | `timeout = "60s"` | how long a call waits for its reply if it sets no limit itself |
/// | `memory = "64MiB"` | limit of the process |
/// | `restart = permanent` | when it is started again: `permanent` always, `transient` after a crash, `temporary` never. Default: `temporary` for a spawned actor, `permanent` for the child of a supervisor |
/// | `intensity = "5 in 10s"` | how many restarts within which time are allowed. Default: 1 in 10 s for a spawned actor, the supervisor's for its children |
/// | `backoff = "100ms..30s"` | the shortest and the longest wait before a restart. Default: none |
/// | `shutdown = "5s"` | how it is stopped: like `grace`; or `brutal_kill`, by SIGKILL at once; or `infinity`, however long it takes |
/// | `significant` | its end by itself may end its supervisor. Default: no |
/// | `recycle_after = 1000` | a fresh process after this many messages; nothing is lost. Default: never |
/// | `recycle_above = "500MiB"` | a fresh process when more than this is resident |
/// | `recycle_at_age = "1h"` | a fresh process when it is this old |
/// | `recycle_jitter = 10` | up to this many percent earlier, at random. Default: 0 |
/// | `drain = at_end` | when queued messages are handled at an orderly stop: `always`, `never`, or `at_end` of the program only. Default: `at_end` |
/// | `spare` | its next process is always kept ready, at the price of one idle process. Default: for a second after each crash |
/// | `nice = 10` | its niceness, from -20 (first) to 19 (last). Default: that of the program |
/// | `depth = 1000` | how many levels deep its state, its arguments and its results may be. Default: 128 |
/// | `output = log` | where its standard output and standard error go: `inherit`, the program's; `log`, its log; `null`, nowhere. Default: `inherit` |
/// | `no_derive` | no serde implementations are derived |
/// | `crate = path` | where to find the crate `phalanx` (also on the impl block) |
///
/// Durations are a number and one of the units `ns`, `us`, `ms`, `s`, `m`, `h`; memory is in bytes, or in
/// `KiB`, `MiB`, `GiB`, `TiB`. The builder has methods of these names, which count before the attribute. A
/// limit on one method (`#[ask(deadline = "..")]`) counts before both.
///
/// # On the impl block
///
/// Every method that takes `&self` or `&mut self` is a message. Its arguments and its result travel between
/// processes, so they own their data and are serde. Calling it on the reference sends it, waiting for room in
/// the mailbox; beside `add` there is `try_add`, which never waits and gives the arguments back if the
/// mailbox is full. Methods that are not messages stand in other impl blocks.
///
/// | attribute | meaning |
/// |---|---|
/// | `#[tell]` | has no reply: the sender goes on as soon as the message is in the mailbox |
/// | `#[ask(deadline = "1s")]`, `#[tell(deadline = "1s")]` | the time that this handler has |
/// | `#[idempotent]`, `#[idempotent(5)]` | a message that the actor has died of is handled again by the next process, up to 3 (or 5) times in all. For actors that are restarted |
/// | `#[local]` | an ordinary method, not a message |
/// | `#[init]` | `fn new(args..) -> Self` or `-> Result<Self, E>`, `E: Display`: run in the new process, started by `Name::spawn(args..)` |
/// | `#[on_start]` | `fn start(&mut self)`: run when the actor is ready, before its first message (OTP's `handle_continue`): the start does not wait for it |
/// | `#[on_exit]` | `fn exit(&mut self, down: phalanx::Down)`: run when an actor that this one is linked to has ended, instead of ending too (OTP's `trap_exit`) |
/// | `#[on_stop]` | `fn stop(&mut self)`: run when the actor stops gracefully |
///
/// The caller of a handler that returns a `Result<T, E>` gets `T`, or an error of its call that carries `E`;
/// the `Err` is not a crash. An actor may be generic. Its type parameters are serde; of one with an `#[init]`,
/// those that stand in its messages and in the arguments of the `#[init]`, and no marker.
#[proc_macro_attribute]
pub fn actor(options: TokenStream, item: TokenStream) -> TokenStream {
    actor::expand(options.into(), item.into()).into()
}

/// Makes a struct the declaration of a supervisor: its fields are the children, started in this order and
/// stopped in reverse.
///
/// ```text
/// #[supervisor(strategy = one_for_one, intensity = "5 in 10s", backoff = "100ms..30s")]
/// struct Shop {
///     db: Db,                                         // an `#[actor]`
///     #[child(restart = transient)] mailer: Mailer,   // one with an `#[init]`
///     billing: Billing,                               // another `#[supervisor]`
///     workers: Dynamic<Worker>,                       // any number, added at run time
/// }
///
/// let shop = Shop::start(ShopArgs {
///     db: Db { .. },                                  // its state
///     mailer: Mailer::builder("shop@example.org".into()),
///     billing: BillingArgs { .. },
///     workers: Supervisor::dynamic().max_children(10),
/// })?;
/// shop.db.get("key".into()).wait()?;                  // `shop.db` is an `ActorRef<Db>`
/// shop.billing.ledger.total().wait()?;
/// ```
///
/// The words, rules and defaults are those of OTP's `supervisor`; the methods of these names of
/// `SupervisorBuilder` and `ActorBuilder` explain each of them. The struct itself stays a declaration, of
/// which no value is made. The macro adds:
///
/// * `ShopArgs`: the arguments of each child. For an actor that is its state, or its builder if it has an
///   `#[init]` or the field has `#[child(builder)]`; for a supervisor its own `..Args`; a
///   `Supervisor::dynamic()` for a `Dynamic<..>`; a `phalanx::command::Command` for a command.
/// * `ShopRef`: a handle with a ref for each child. It derefs to a `SupervisorRef`, is cheap to clone, and
///   travels in messages, as long as it has at most 31 refs in it.
/// * `Shop::start(args)`: blocks until all children are ready, each started when the one before was. If one
///   fails, those before it are stopped again, and the error says which child it was, below which
///   supervisors, and why.
/// * `Shop::start_with(|shop| args)`: starts children that know each other, in cycles too. `shop` is the
///   `ShopRef`, whose refs exist before any of the children does: put clones of them into their states.
///   Messages sent to them meanwhile wait. (A child's name, `mailbox`, `timeout` and `daemon` are then those
///   of the attributes, and those of its builder are ignored: its mailbox exists already.)
/// * `Shop::builder(args)`: a `SupervisorBuilder`, to change options, or to make it the child of a supervisor
///   that is made by builder.
///
/// The visibility and the docs of a field hold in both. A field may be under `cfg`. A field's name is the id
/// of the child, and the name of its process too, unless `#[child(name = "..")]`, the actor's attribute or
/// its builder has another.
///
/// # Options of the supervisor
///
/// | option | meaning | default |
/// |---|---|---|
/// | `strategy = one_for_one` | which children are restarted when one ends: `one_for_one` that one, `one_for_all` all, `rest_for_one` it and those after it, `dynamic` that one, and all are stopped at once | `one_for_one` |
/// | `intensity = "5 in 10s"` | how many restarts within which time are allowed; one more, and it gives up | `"1 in 10s"` |
/// | `backoff = "100ms..30s"` | the shortest and the longest wait before a restart | none |
/// | `auto_shutdown = any_significant` | whether it ends with its significant children: `never`, `any_significant`, `all_significant` | `never` |
/// | `max_children = 10` | how many children there may be, with those added later | no limit |
/// | `name = "shop"` | name of its process | that of the struct, or of the field |
/// | `daemon` | it and its children are terminated first when the program ends | no |
/// | `restart = transient` | when it is restarted itself | `permanent` below a supervisor, else `temporary` |
/// | `shutdown = "30s"` | how it is stopped: a time, `brutal_kill`, `infinity` | `infinity` |
/// | `significant` | its end by itself may end the supervisor above | no |
/// | `crate = path` | where to find the crate `phalanx` | `::phalanx` |
///
/// # Options of a child: `#[child(..)]`
///
/// All of [`macro@actor`] but `no_derive` and `crate`. They count before those in the attribute of the actor
/// (or the supervisor), and after what a builder in the arguments changes. For a child that is a supervisor
/// there are `name`, `daemon`, `start`, `restart`, `intensity`, `backoff`, `shutdown`, `grace`,
/// `significant`.
///
/// | option | meaning | default |
/// |---|---|---|
/// | `restart = transient` | when it is started again | `permanent` |
/// | `shutdown = "2s"` | how it is stopped: a time, `brutal_kill`, `infinity` | `"5s"`, and `infinity` for a supervisor |
/// | `intensity = "2 in 1s"` | an allowance of its own, beside that of the supervisor | none |
/// | `backoff = "1s..1m"` | instead of the supervisor's | the supervisor's |
/// | `significant` | its end by itself may end the supervisor, which has an `auto_shutdown` | no |
/// | `name`, `mailbox`, `daemon`, `deadline`, `start`, `grace`, `timeout`, `memory`, `recycle_..`, `drain`, `spare`, `nice`, `depth`, `output` | as for an actor | the actor's |
/// | `builder` | its argument is an `ActorBuilder`, though it has no `#[init]` | its state |
///
/// Contradictions are errors of the compiler, also across attributes: a significant child that is permanent,
/// or below a supervisor that never ends with its children; a window of zero; a backoff whose shortest wait
/// is above its longest.
#[proc_macro_attribute]
pub fn supervisor(options: TokenStream, item: TokenStream) -> TokenStream {
    supervisor::expand(options.into(), item.into()).into()
}

/// Makes a function that can be run in a process of its own, and leaves it a function.
///
/// ```text
/// #[task]
/// fn square(n: u64) -> u64 { n * n }
///
/// let process = square::spawn(4)?;                     // a new process
/// assert_eq!(process.join()?, 16);
/// let process = square::builder(5).name("five").spawn()?;
/// assert_eq!(square(6), 36);                           // an ordinary call
/// ```
///
/// Arguments and result travel between processes, so they own their data and are serde. `join` returns a
/// `Result<T, E>` as `T`, or as an error that carries `E`.
///
/// Options, explained at [`macro@actor`]: `name`, `daemon`, `deadline`, `start`, `grace`, `memory`,
/// `restart`, `intensity`, `backoff`, `shutdown`, `significant`, `nice`, `depth`, `output`, `crate`.
///
/// A pool runs it too, given as the function (`pool.run(square, 4)`) or by name
/// (`pool.run(square::task(), 4)`), where the `Err` of a `Result` is told apart from the pool's own errors.
/// Either way its `deadline` holds there, and `idempotent` (or `idempotent = 5`, or `#[idempotent]`,
/// `#[idempotent(5)]` beside it): a task whose worker dies of it is run again by another one, up to 3 (or 5)
/// times in all.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(options.into(), item.into()).into()
}

/// Marks the function whose end is the end of the program.
///
/// ```text
/// #[phalanx::main]
/// fn main() -> phalanx::Result<()> { .. }
/// ```
///
/// When the function returns, daemons are terminated, everything else is waited for, and only then is the
/// result passed on. It may be any function without arguments.
///
/// An `async fn` needs the attribute of an executor beside it, above or below, such as `#[tokio::main]`. The
/// executor ends first, and the program's processes after it:
///
/// ```text
/// #[phalanx::main]
/// #[tokio::main]
/// async fn main() -> phalanx::Result<()> { .. }
/// ```
///
/// Options: `signals = false` leaves SIGINT and SIGTERM to the program (default: `true`, phalanx ends the
/// program in order on the first one, unless the program handles the signal itself); `crate = path`.
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::expand(options.into(), item.into()).into()
}

/// Declares the helper attributes, for where they are misplaced.
macro_rules! helpers {
    ($($helper:ident)*) => {$(
        /// Stands on a function of an impl block with [`macro@actor`], which explains it. Anywhere else it is
        /// an error.
        #[proc_macro_attribute]
        pub fn $helper(_: TokenStream, item: TokenStream) -> TokenStream {
            helpers::misplaced(stringify!($helper), &item.into()).into()
        }
    )*};
}

helpers!(ask tell local init on_start on_exit on_stop idempotent);
