//! The table of the options of actors, tasks and children. The macro crate makes the options of its
//! attributes from it, the runtime those of its builders.

/// How often a task or a message may be begun at most, whatever its attribute says.
pub const MOST_ATTEMPTS: u32 = 100;

/// Calls the macro `$callback` with the rows of the table in brackets, and with `$rest` behind them.
///
/// A row has the field of both crates' `Options` and its type, then a line for each key: the key, the places
/// of attributes that take it, the part of the field that it sets, and the reader of its value. What stands
/// in a row is looked up where the macro is called, and three types differ there:
///
/// | type | attributes | runtime |
/// |---|---|---|
/// | `Text` | a literal | a constant text |
/// | `Switch` | off, on, or not set | off or on |
/// | `Recycling` | the limits that are set | limits, or none |
#[doc(hidden)]
#[macro_export]
macro_rules! spawn_options {
    ($callback:ident $($rest:tt)*) => {
        $callback! { [
            name: Option<Text>           { "name" [ActorStruct Child Task Supervisor] = name(); }
            mailbox: Option<u32>         { "mailbox" [ActorStruct ActorChild] = mailbox(); }
            daemon: Switch               { "daemon" [ActorStruct Child Task Supervisor] = flag(); }
            deadline: Option<Duration>   { "deadline" [ActorStruct ActorChild Task Handler] = duration(); }
            start_timeout: Option<Duration> { "start_timeout" [ActorStruct Child Task] = duration(); }
            timeout: Option<Duration>    { "timeout" [ActorStruct ActorChild] = duration(); }
            memory: Option<u64>          { "memory" [ActorStruct ActorChild Task] = memory(); }
            restart: Option<Restart>     { "restart" [ActorStruct Child Task Supervisor] = restart(); }
            intensity: Option<Intensity> { "intensity" [ActorStruct Child Task Supervisor] = intensity(); }
            backoff: Option<Backoff>     { "backoff" [ActorStruct Child Task Supervisor] = backoff(); }
            shutdown: Option<Shutdown>   { "shutdown" [ActorStruct Child Task Supervisor] = shutdown(); }
            significant: Switch          { "significant" [ActorStruct Child Task Supervisor] = flag(); }
            recycle: Recycling {
                "recycle_after" [ActorStruct ActorChild] .messages = messages();
                "recycle_above" [ActorStruct ActorChild] .memory = memory();
                "recycle_at_age" [ActorStruct ActorChild] .age = duration();
                "recycle_jitter" [ActorStruct ActorChild] .jitter = percent();
            }
            drain: Option<Drain>         { "drain" [ActorStruct ActorChild] = one_of(Drain::WORDS); }
            spare: Switch                { "spare" [ActorStruct ActorChild] = flag(); }
            nice: Option<i32>            { "nice" [ActorStruct Child Task] = niceness(); }
            depth: Option<u32>           { "depth" [ActorStruct ActorChild Task] = depth(); }
            output: Option<Destination>  { "output" [ActorStruct Child Task] = one_of(Destination::WORDS); }
        ] $($rest)* }
    };
}
