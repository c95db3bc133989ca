//! How programs end: daemons, tasks, actors, Ctrl-C.

mod shutdown;

use crate::scenario::{self, output};

/// The task waits for the end of the daemon, and works with an actor after it.
#[test]
fn daemons_are_terminated_first_then_tasks_are_joined_and_actors_stopped_last() {
    assert_eq!(
        output("daemons-first"),
        ["main ends", "daemon stopped", "the task works with an actor", "the task is done", "actor stopped"]
    );
}

#[test]
fn what_a_daemon_has_started_does_not_keep_the_program_alive() {
    assert_eq!(output("daemon-with-children"), ["daemon stopped", "child stopped"]);
}

#[test]
fn what_an_actor_has_started_does_not_keep_the_program_alive() {
    assert_eq!(output("nested-task"), ["actor stopped"]);
}

#[test]
fn messages_that_are_queued_at_the_end_are_handled() {
    let said = output("drains");
    for actor in ["one", "two"] {
        let own: Vec<&String> = said.iter().filter(|line| line.starts_with(actor)).collect();
        let notes = (0..20).map(|number| format!("{actor} {number}"));
        assert_eq!(
            own,
            notes.chain([format!("{actor} stopped")]).collect::<Vec<_>>().iter().collect::<Vec<_>>()
        );
    }
    let stopped: Vec<&String> = said.iter().filter(|line| line.ends_with("stopped")).collect();
    assert_eq!(stopped, ["two stopped", "one stopped"]);
}

/// An actor's hook runs while what it has started is still there; siblings stop in reverse order of their
/// start.
#[test]
fn actors_are_stopped_in_reverse_order_of_their_start_at_every_level() {
    assert_eq!(
        output("ends-in-order"),
        ["second stopped", "first stopped", "b stopped", "x stopped", "a stopped"]
    );
}

#[test]
fn a_task_that_runs_on_after_the_end_of_main_is_joined() {
    assert_eq!(output("late-task"), ["main ends", "done after the end of main"]);
}

#[test]
fn an_actor_that_hangs_at_the_end_is_killed_when_its_grace_is_over() {
    let said = output("hangs");
    assert!(said.contains(&"stubborn hangs".to_owned()), "{said:?}");
    // That one was killed in its handler, by its deadline; a hook that did not run says nothing.
    assert!(!said.contains(&"worker stopped".to_owned()), "{said:?}");
}

#[test]
fn a_main_that_fails_ends_its_tree_and_exits_with_1() {
    let run = scenario::start("fails");
    assert_eq!(run.rest(), ["actor stopped"]);
    assert_eq!(run.rest_of_stderr(), ["Error: this is why"]);
    assert_eq!(run.finish(), 1);
}

/// In a program that is built to abort nothing runs after the panic: its tree ends as after a kill.
#[test]
fn a_main_that_panics_waits_for_no_work_and_exits_with_101_or_aborts() {
    let run = scenario::start("panics");
    let hooks = match &*run.line() {
        "built to unwind" => vec!["actor stopped"],
        "built to abort" => vec![],
        other => panic!("{other}"),
    };
    let code = if hooks.is_empty() { -6 } else { 101 };
    assert_eq!(run.rest(), hooks);
    let said = run.rest_of_stderr();
    assert!(said.contains(&"main panics on purpose".to_owned()), "{said:?}");
    assert_eq!(run.finish(), code);
}

#[test]
fn an_exit_in_main_leaves_nothing_and_runs_no_hook() {
    let run = scenario::start("exits");
    assert_eq!((run.rest(), run.rest_of_stderr()), (vec![], vec![]));
    assert_eq!(run.finish(), 3);
}

#[test]
fn a_main_without_the_attribute_leaves_nothing_either() {
    assert_eq!(output("plain"), ["main ends"]);
}
