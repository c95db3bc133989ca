//! The census is killed at any moment of its run, and nothing of it is left.

#![allow(unreachable_pub, dead_code, reason = "the support module serves several tests")]

mod support;

use std::env;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use support::{Dir, run, run_and_kill};

const CENSUS: &str = env!("CARGO_BIN_EXE_census");

/// The number of moments.
const MOMENTS: u64 = 100;

/// Two hundred files with something to parse.
fn sources() -> Dir {
    let function =
        "/// Documented.\npub fn f<T: Clone>(x: &T) -> Vec<T> { unsafe { g(x) }; vec![x.clone(); 3] }\n";
    let dir = Dir::new();
    for number in 0..200 {
        dir.file(&format!("crate-{}/src/file-{number}.rs", number % 7), function.repeat(20));
    }
    dir
}

/// Random numbers below 2^32 (a linear congruential generator, by its upper half).
fn random(seed: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed), |last| {
        Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    })
    .skip(1)
    .map(|state| state >> 32)
}

#[test]
fn a_census_that_is_killed_at_any_moment_leaves_nothing() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_nanos() as u64;
    let seed = env::var("PHALANX_TESTS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(now);
    eprintln!("PHALANX_TESTS_SEED={seed}");

    let sources = sources();
    let args = [sources.path(), "--json", "--workers", "3"];
    let start = Instant::now();
    assert_eq!(run(CENSUS, &args).code, 0);
    let whole = start.elapsed();
    for part in random(seed).take(MOMENTS as usize) {
        let moment = Duration::from_nanos((whole.as_nanos() as u64 >> 16) * (part >> 16));
        assert!(moment <= whole);
        run_and_kill(CENSUS, &args, moment);
    }
}
