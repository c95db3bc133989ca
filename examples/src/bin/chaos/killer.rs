//! The killer: its victims, and its means.

use std::collections::VecDeque;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{Node, NodeKind};

use crate::client::{Account, DEADLINE, Pending};
use crate::random::Random;
use crate::worker::{Blunder, Worker};

/// The pause between two blows.
const PAUSE: Duration = Duration::from_millis(20);

/// How many of its own calls may be pending.
const UNSETTLED: usize = 32;

/// The blows from outside: kill, crash, stop, terminate.
const SIGNALS: [&str; 4] = ["KILL", "SEGV", "STOP", "TERM"];

/// Kills below `top`, and has workers blunder, until the time is up; returns the number of blows, and the
/// account of its own calls.
pub(crate) fn rage(top: &str, workers: &[ActorRef<Worker>], seed: u64, time: Duration) -> (u64, Account) {
    let (mut random, mut kills) = (Random::new(seed), 0);
    let (mut account, mut pending) = (Account::default(), VecDeque::new());
    let end = Instant::now() + time;
    let mut next = Instant::now();
    while Instant::now() < end {
        let blow = random.below(SIGNALS.len() + Blunder::LIGHT.len());
        if let Some(&blunder) = Blunder::LIGHT.get(blow) {
            let worker = &workers[random.below(workers.len())];
            account.calls += 1;
            kills += 1;
            let since = Instant::now();
            let reply = worker.within(DEADLINE).blunder(blunder, random.below(1024));
            pending.push_back(Pending { reply, since, deadline: DEADLINE });
            // Usually old enough to have ended, so the wait does not hold up the blows.
            if pending.len() > UNSETTLED
                && let Some(oldest) = pending.pop_front()
            {
                drop(account.settle(oldest));
            }
        } else if let Some(tree) = phalanx::tree()
            && let Some(top) = tree.find(top)
        {
            let victims: Vec<u32> =
                top.walk().filter(|node| is_victim(node)).filter_map(|node| node.pid).collect();
            if !victims.is_empty() {
                let (victim, signal) =
                    (victims[random.below(victims.len())], SIGNALS[blow - Blunder::LIGHT.len()]);
                kills += u64::from(send(signal, victim));
            }
        }
        next += PAUSE;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    pending.into_iter().for_each(|call| drop(account.settle(call)));
    (kills, account)
}

fn is_victim(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Actor | NodeKind::Supervisor)
}

/// Sends a signal to a process. If it ended by itself a moment ago, no process is hit, because pids are not
/// reused that quickly.
pub(crate) fn send(signal: &str, pid: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.args(["-s", signal, &pid.to_string()]).stderr(Stdio::null()).stdout(Stdio::null());
    kill.status().is_ok_and(|status| status.success())
}
