//! Whom it hits, and how.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use phalanx::{Node, NodeKind};

use crate::random::Random;

/// How often.
const PAUSE: Duration = Duration::from_millis(20);

/// What is done to a process: killed, crashed, stopped, told to end.
const SIGNALS: [&str; 4] = ["KILL", "SEGV", "STOP", "TERM"];

/// Kills below `top` until the time is up; answers how often.
pub(crate) fn rage(top: &str, seed: u64, time: Duration) -> u64 {
    let (mut random, mut kills) = (Random::new(seed), 0);
    let end = Instant::now() + time;
    let mut next = Instant::now();
    while Instant::now() < end {
        if let Some(tree) = phalanx::tree()
            && let Some(top) = tree.find(top)
        {
            let victims: Vec<u32> =
                top.walk().filter(|node| is_victim(node)).filter_map(|node| node.pid).collect();
            if !victims.is_empty() {
                let (victim, signal) = (victims[random.below(victims.len())], SIGNALS[random.below(4)]);
                kills += u64::from(send(signal, victim));
            }
        }
        next += PAUSE;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    kills
}

fn is_victim(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Actor | NodeKind::Supervisor)
}

/// Sends a signal to a process. It may have ended by itself a moment ago; then nobody is hit, as pids are not given anew so quickly.
pub(crate) fn send(signal: &str, pid: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.args(["-s", signal, &pid.to_string()]).stderr(Stdio::null()).stdout(Stdio::null());
    kill.status().is_ok_and(|status| status.success())
}
