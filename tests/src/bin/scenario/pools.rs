//! Programs with pools.

use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;

use phalanx::Pool;
use phalanx_tests::{FOREVER, processes};

fn say(n: u32) {
    sleep(Duration::from_millis(20));
    println!("task {n}");
}

/// Ends while tasks are pending.
#[phalanx::main]
pub(crate) fn pending() -> phalanx::Result<()> {
    let pool = Pool::builder().workers(2).build()?;
    for n in 0..5 {
        drop(pool.submit(say, n));
    }
    println!("main ends");
    Ok(())
}

/// Ends while tasks are pending in a pool that is never dropped.
#[phalanx::main]
pub(crate) fn kept() -> phalanx::Result<()> {
    static POOL: OnceLock<Pool> = OnceLock::new();
    let pool = Pool::builder().workers(2).build()?;
    let pool = POOL.get_or_init(|| pool);
    for n in 0..5 {
        drop(pool.submit(say, n));
    }
    println!("main ends");
    Ok(())
}

/// A worker with a child of its own, which is hard to get hold of.
fn with_child(slow: bool) {
    processes::leave_a_stray();
    if slow {
        sleep(FOREVER);
    }
}

/// Says when it can be killed.
pub(crate) fn killed(when: &str) -> phalanx::Result<()> {
    let slow = when == "starting";
    if slow {
        std::thread::spawn(|| {
            sleep(Duration::from_millis(100));
            println!("now");
        });
    }
    let pool = Pool::builder().workers(2).init(with_child, slow).build()?;
    if when == "busy" {
        let nap = || sleep(FOREVER);
        let tasks = [pool.submit(nap, ()), pool.submit(nap, ())];
        while !tasks.iter().all(|task| task.is_running()) {
            sleep(Duration::from_millis(1));
        }
        println!("now");
        sleep(FOREVER);
    }
    println!("now");
    sleep(FOREVER);
    Ok(())
}
