//! The attributes of `phalanx`: [`macro@actor`], [`macro@task`] and [`macro@main`]. Use them through that crate, which re-exports them.
//!
//! A macro is a pipeline: the syntax is read into a model, the model is checked, and what is good is expanded. Errors are collected
//! on the way, so that all errors of one annotation are shown at once. Expansions refer to the runtime by `phalanx::__private` only.

mod actor;
mod actor_impl;
mod actor_struct;
mod errors;
mod main_fn;
mod option_entry;
mod options;
mod owned;
mod serde_bounds;
mod signature;
#[cfg(test)]
mod snapshots;
mod supervision;
mod task;
mod units;
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
///     fn reset(&mut self) { .. }                       // tell: `count.reset()` returns when it is in the mailbox
/// }
///
/// let count = WordCount { total: 0 }.spawn()?;         // a new process
/// let total = count.add("to be".into()).wait()?;
/// ```
///
/// # On the struct
///
/// The struct gets serde's `Serialize` and `Deserialize`, unless it derives them itself *below* this attribute or says
/// `no_derive`. A field that serde cannot carry is fine as long as the actor is made by an `#[init]`. Field attributes of serde hold.
///
/// | option | meaning |
/// |---|---|
/// | `name = "cache"` | name of the process, in `ps` and in errors |
/// | `mailbox = 256` | how many messages can wait, 1 to 65535 |
/// | `daemon` | is terminated when the program ends, instead of waited for |
/// | `deadline = "2s"` | a handler that takes longer is killed |
/// | `start = "5s"` | how long the actor may take to become ready |
/// | `grace = "5s"` | how long a graceful stop may take before the process is killed |
/// | `timeout = "60s"` | how long a call waits for its answer if it does not say |
/// | `memory = "64MiB"` | limit of the process |
/// | `restart = permanent` | when it is started again: `permanent` always, `transient` after a crash, `temporary` never. Default: `temporary` for what is spawned, `permanent` for the child of a supervisor |
/// | `intensity = "5 in 10s"` | how many restarts within which time are bearable. Default: 1 in 10 s for what is spawned, what the supervisor says for its children |
/// | `backoff = "100ms..30s"` | the shortest and the longest wait before a restart. Default: none |
/// | `shutdown = "5s"` | how it is stopped: like `grace`; or `brutal_kill`, by SIGKILL at once; or `infinity`, however long it takes |
/// | `significant` | its end by itself may end its supervisor. Default: no |
/// | `recycle_after = 1000` | a fresh process after so many messages; nothing is lost. Default: never |
/// | `recycle_above = "500MiB"` | the same when more than that is resident |
/// | `recycle_at_age = "1h"` | the same when it is so old |
/// | `recycle_jitter = 10` | up to so many percent earlier, at random. Default: 0 |
/// | `no_derive` | no serde implementations are derived |
/// | `crate = path` | where to find the crate `phalanx` (also on the impl block) |
///
/// Durations are a number and one of the units `ns`, `us`, `ms`, `s`, `m`, `h`; memory is in bytes, or in `KiB`, `MiB`, `GiB`, `TiB`. The builder
/// has methods of the same names, and what it says counts. A limit on one method (`#[ask(deadline = "..")]`) counts before both.
///
/// # On the impl block
///
/// Every method that takes `&self` or `&mut self` is a message. Its arguments and its result travel between processes, so they own their
/// data and are serde. Calling it on the reference sends it, waiting for room in the mailbox; beside `add` there is `try_add`,
/// which does not wait and gives the arguments back if there is no room. Methods that are no messages stand in other impl blocks.
///
/// | attribute | meaning |
/// |---|---|
/// | `#[tell]` | has no reply: the sender goes on as soon as the message is in the mailbox |
/// | `#[ask(deadline = "1s")]`, `#[tell(deadline = "1s")]` | the time that this handler has |
/// | `#[idempotent]`, `#[idempotent(5)]` | a message that the actor has died of is handled again by the next process, up to 3 (or 5) times in all. For actors that are restarted |
/// | `#[local]` | an ordinary method, not a message |
/// | `#[init]` | `fn new(args..) -> Self` or `-> Result<Self, E>`, `E: Display`: run in the new process, started by `Name::spawn(args..)` |
/// | `#[on_start]` | `fn start(&mut self)`: run when the actor is ready, before its first message (OTP's `handle_continue`): nobody waits for it |
/// | `#[on_stop]` | `fn stop(&mut self)`: run when the actor stops gracefully |
///
/// A handler that returns a `Result<T, E>` answers `T`, or an error of the caller's call that carries `E`; it is not a crash. An
/// actor may be generic; what it is generic over is serde.
#[proc_macro_attribute]
pub fn actor(options: TokenStream, item: TokenStream) -> TokenStream {
    actor::expand(options.into(), item.into()).into()
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
/// Arguments and result travel between processes, so they own their data and are serde. A `Result<T, E>` reaches whoever joins the
/// process as `T`, or as an error that carries `E`.
///
/// Options, with the same meanings as for [`macro@actor`]: `name`, `daemon`, `deadline`, `start`, `grace`, `memory`, `restart`,
/// `intensity`, `backoff`, `shutdown`, `significant`, `crate`.
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
/// When the function returns, daemons are terminated, everything else is waited for, and only then is the result passed on. It may be
/// any function without arguments. The only option is `crate = path`.
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::expand(options.into(), item.into()).into()
}
