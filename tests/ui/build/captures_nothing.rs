//! An argument in place of the capture: this program is built.

use phalanx::prelude::*;

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let by = 3;
    let tripled = Process::spawn(|(n, by): (u64, u64)| n * by, (14, by))?;
    assert_eq!(tripled.join()?, 42);
    Ok(())
}
