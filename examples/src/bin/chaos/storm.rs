//! A tree under load, whose processes are killed at random.

use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{Node, NodeKind, Restart, SupervisorBuilder};

use crate::args::Options;
use crate::bunglers;
use crate::client;
use crate::killer;
use crate::report::Report;
use crate::worker::Worker;

const TOP: &str = "chaos";
const GROUPS: usize = 3;
const WORKERS: usize = 10;
const CLIENTS: u32 = 4;

/// A handler that takes longer is stuck: all handlers here take microseconds, but the machine has other work.
const STUCK: Duration = Duration::from_millis(250);

/// More restarts than can happen.
const ANY: (u32, Duration) = (u32::MAX, Duration::from_secs(1));

/// How long the tree has to recover from the last blow.
const RECOVERY: Duration = Duration::from_secs(20);

pub(crate) fn run(options: &Options) -> phalanx::Result<Report> {
    let (supervisor, workers) = start()?;
    let time = options.time;
    let clients =
        (0..CLIENTS).map(|number| client::client::spawn(workers.clone(), number, options.seed, time));
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    let bunglers = bunglers::bunglers::spawn(options.seed, time)?;
    let (kills, mut account) = killer::rage(TOP, &workers, options.seed, time);
    for client in clients {
        account.add(&client.join()?);
    }
    let bungled = Some(bunglers.join()?);
    let recovered = recover(&workers);
    let (interrupted, cut) = interruptions();
    supervisor.stop(RECOVERY)?;
    phalanx::shutdown();
    let leftovers = leftovers();
    let (options, crashes, pool) = (*options, None, None);
    Ok(Report { options, kills, account, interrupted, cut, recovered, leftovers, crashes, pool, bungled })
}

/// The tree, and all its workers.
fn start() -> phalanx::Result<(SupervisorRef, Vec<ActorRef<Worker>>)> {
    let mut workers = Vec::new();
    let mut top = supervisor(TOP).restart(Restart::Permanent).own_intensity(ANY.0, ANY.1);
    for group in 0..GROUPS {
        let mut below = supervisor(&format!("group-{group}"));
        for number in 0..WORKERS {
            let name = format!("worker-{group}-{number}");
            let worker = Worker::default().builder().name(&name).mailbox(1024);
            // A process can be stopped at any moment: while it starts, while it works, while it stops.
            let worker = worker.deadline(STUCK).start_timeout(2 * STUCK).shutdown(2 * STUCK).reserve()?;
            workers.push(worker.actor_ref());
            below = below.child(name, worker);
        }
        top = top.child(format!("group-{group}"), below);
    }
    Ok((top.start()?, workers))
}

fn supervisor(name: &str) -> SupervisorBuilder {
    Supervisor::one_for_one().name(name).intensity(ANY.0, ANY.1)
}

/// Whether every worker replies again, after the last blow.
fn recover(workers: &[ActorRef<Worker>]) -> bool {
    let end = Instant::now() + RECOVERY;
    workers.iter().all(|worker| {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        worker.within(left).work(u32::MAX, 1, String::new()).wait().is_ok()
    })
}

/// The supervisors' counts: messages that processes died of, and replies that were under way then.
pub(crate) fn interruptions() -> (u64, u64) {
    let tree = phalanx::tree();
    let actors = tree.iter().flat_map(Node::walk).filter(|node| node.kind == NodeKind::Actor);
    actors.fold((0, 0), |(lost, cut), node| {
        (lost + u64::from(node.interrupted), cut + u64::from(node.cut_answers))
    })
}

/// Processes that are still below this one, zombies included, a second after the end.
pub(crate) fn leftovers() -> usize {
    let end = Instant::now() + Duration::from_secs(1);
    loop {
        let left = children_of(std::process::id()).len();
        if left == 0 || Instant::now() > end {
            return left;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn children_of(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let words =
        |list: String| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>();
    lists.flat_map(words).collect()
}
