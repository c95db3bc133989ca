//! Programs for the cases that are about whole programs: `scenario NAME [ARGUMENT]`.
//!
//! Those that end by the protocol carry `#[phalanx::main]` on their function; the others just return from
//! `main`.

#![allow(clippy::print_stdout, reason = "the cases read what their programs print")]

mod actors;
mod boots;
mod busy;
mod commands;
mod ends;
mod executors;
mod forks;
mod image;
mod interrupted;
mod limits;
mod logs;
mod panics;
mod plain;
mod pools;
mod reasons;
mod remotes;
mod strays;
mod supervised;
mod tasks;
mod terminal;

fn main() -> phalanx::Result<()> {
    match argument(1).as_str() {
        "actor-drops-rights" => boots::actor_drops_rights(),
        "drops-rights" => boots::drops_rights(),
        "boots" => boots::spawns(),
        "boots-and-stays" => boots::stays(),
        "imitates" => boots::imitates(),
        "spawns-nothing" => boots::spawns_nothing(),
        "busy" => busy::run(),
        "command" => commands::runs(),
        "command-dumps" => commands::dumps(),
        "command-inherits" => commands::inherits(),
        "commands" => commands::several(),
        "keeps" => commands::keeps(),
        "listens" => commands::listens(),
        "daemons-first" => ends::daemons_first(),
        "daemon-with-children" => ends::daemon_with_children(),
        "drains" => ends::drains(),
        "ends-in-order" => ends::ends_in_order(),
        "exits" => ends::exits(),
        "fails" => ends::fails(),
        "executor-above" => executors::above(),
        "executor-below" => executors::below(),
        "keeps-signals" => executors::keeps_signals(),
        "parked" => executors::parked(),
        "asks-at-exit" => forks::asks_at_exit(),
        "forks" => forks::returns_twice(),
        "forks-in-handler" => forks::in_handler(),
        "forks-in-background" => forks::in_background(),
        "forks-signalled" => forks::signalled(),
        "hangs" => ends::hangs(),
        "late-task" => ends::late_task(),
        "panics" => ends::panics(),
        "nested-task" => ends::nested_task(),
        "notifies" => commands::notifies(),
        "replaced" => image::replaced(),
        "replaced-restart" => image::replaced_restart(),
        "replaced-before" => image::replaced_before(),
        "interrupted" => interrupted::waiting(),
        "interrupted-in-main" => interrupted::computing(),
        "interrupted-after-shutdown" => interrupted::alone_again(),
        "handles-signals" => interrupted::handling_signals(),
        "interrupted-twice" => interrupted::hanging(),
        "interrupted-in-handler" => interrupted::handling(),
        "logs" => logs::logs(),
        "forges" => logs::forges(),
        "logs-itself" => logs::logs_itself(),
        "file-size" => limits::file_size(),
        "many-actors" => limits::many_actors(),
        "many-names" => limits::many_names(),
        "prints-a-lot" => limits::prints_a_lot(),
        "plain" => plain::returns(),
        "counts-runs" => plain::counts_runs(),
        "reasons" => reasons::all(),
        "remote-echo" => remotes::echo(),
        "remote-holder" => remotes::holder(),
        "remote-manager" => remotes::manager(),
        "remote-squarer" => remotes::squarer(),
        "remote-teller" => remotes::teller(),
        "stray" => strays::stray(),
        "stumbles" => panics::everywhere(),
        "stumbles-with-a-hook" => panics::hooked(),
        "supervised-crashing" => supervised::crashing(),
        "supervised-daemon" => supervised::daemon(),
        "supervised-daemon-child" => supervised::daemon_child(),
        "supervised-ends" => supervised::ends(),
        "supervised-hangs" => supervised::hangs(),
        "supervised-interrupted" => supervised::interrupted(),
        "supervised-interrupted-hanging" => supervised::interrupted_hanging(),
        "supervised-restarting" => supervised::restarting(),
        "supervised-tasks" => supervised::tasks(),
        "spawns-once" => strays::spawns_once(),
        "names" => tasks::names(),
        "parallelism" => tasks::parallelism(),
        "pool-kept" => pools::kept(),
        "pool-pending" => pools::pending(),
        "pool-killed" => pools::killed(&argument(2)),
        "terminal" => terminal::actor(),
        "task-panics" => tasks::panics(),
        "descriptors" => tasks::descriptors(),
        "descriptors-under-way" => limits::descriptors_under_way(),
        // A process that starts this executable without arguments, and so runs `main`, is seen by what stays.
        "" => plain::stays(),
        name => Err(phalanx::Error::new(format!("no scenario is called `{name}`"))),
    }
}

/// An argument of the command line; empty if it is not there.
fn argument(at: usize) -> String {
    std::env::args().nth(at).unwrap_or_default()
}
