//! What is said about restarts, stops and recycling has to be possible.

use phalanx::prelude::*;

#[actor(restart = always, intensity = "five", backoff = "30s..100ms", shutdown = gentle, significant = 1)]
struct One;

#[actor]
impl One {}

#[actor(restart = "permanent", intensity = "5 in 0s", backoff = "0s..1s", shutdown = "0s", recycle_after = 0)]
struct Two;

#[actor]
impl Two {}

#[actor(intensity = 5, backoff = "1s", shutdown = 5, recycle_above = "5MB", recycle_at_age = "0s", recycle_jitter = 101)]
struct Three;

#[actor]
impl Three {}

#[actor(grace = "5s", start = "1s")]
struct Four;

#[actor]
impl Four {}

#[actor(significant, restart = permanent)]
struct Five;

#[actor]
impl Five {}

#[actor(intensity = "-1 in 1s", backoff = "1.5ns..1s", deadline = "0.5ns")]
struct Six;

#[actor]
impl Six {}

#[task(shutdown = "1s", shutdown = brutal_kill, recycle_after = 5)]
fn seven() {}

fn main() {
    let _ = (One.spawn(), Two.spawn(), Three.spawn(), Four.spawn(), Five.spawn(), Six.spawn(), seven::spawn());
}
