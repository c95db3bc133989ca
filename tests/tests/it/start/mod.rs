//! Starting processes.

mod init;
mod kinds;
mod options;
mod places;
mod processes;
mod surroundings;

use phalanx::prelude::*;
use phalanx_tests::{alone, processes as table};

#[actor]
struct Echo;

#[actor]
impl Echo {
    fn echo(&self, text: String) -> String {
        text
    }

    fn own_pid(&self) -> u32 {
        std::process::id()
    }
}

/// What runs below this program's root supervisor.
fn supervised() -> Vec<u32> {
    let Some(supervisor) = table::root_supervisor(std::process::id()) else { return Vec::new() };
    let mut pids: Vec<u32> = table::children(supervisor).iter().map(|child| child.pid).collect();
    pids.sort_unstable();
    pids
}

#[test]
fn an_actor_answers_from_a_process_of_its_own() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        assert_ne!(echo.pid().unwrap(), std::process::id());
        assert_eq!(echo.own_pid().wait().unwrap(), echo.pid().unwrap());
        assert_eq!(echo.echo("hello".into()).wait().unwrap(), "hello");
    });
}

#[test]
fn an_actor_lives_on_when_the_last_ref_is_dropped() {
    alone(|| {
        let pid = Echo.spawn().unwrap().pid().unwrap();
        let other = Echo.spawn().unwrap();
        assert_eq!(other.echo("hello".into()).wait().unwrap(), "hello");
        assert!(table::runs(pid));
    });
}
