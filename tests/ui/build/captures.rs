//! What only a build refuses: a `move` closure that captures nothing but `Copy` values.

use phalanx::prelude::*;

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let by = 3;
    let tripled = Process::spawn(move |n: u64| n * by, 14)?;
    tripled.join()?;
    Ok(())
}
