//! What cases about tasks need of a whole program.

use phalanx::prelude::*;

/// Prints the names of tasks that were given none.
#[phalanx::main]
pub(crate) fn names() -> phalanx::Result<()> {
    for _ in 0..3 {
        let process = Process::spawn(|()| phalanx::current().name().to_owned(), ())?;
        println!("{} {}", process.name(), process.join()?);
    }
    Ok(())
}

#[task]
fn panic_at_length() {
    panic!("{}\nfirst line\nlast line", "long ".repeat(2000));
}

#[phalanx::main]
pub(crate) fn panics() -> phalanx::Result<()> {
    let process = panic_at_length::spawn()?;
    match process.join() {
        Err(CallError::Died(ExitReason::Panicked { message, location, .. }, _)) => {
            println!("{} {location}", message.starts_with("long long"));
        }
        other => println!("{other:?}"),
    }
    println!("{:?}", process.exit_code());
    Ok(())
}

/// Which of the descriptors 50 and 51 this process has.
fn high_descriptors(_: ()) -> Vec<u32> {
    (50..52).filter(|number| std::fs::read_link(format!("/proc/self/fd/{number}")).is_ok()).collect()
}

#[phalanx::main]
pub(crate) fn descriptors() -> phalanx::Result<()> {
    println!("{:?}", high_descriptors(()));
    println!("{:?}", Process::spawn(high_descriptors, ())?.join()?);
    Ok(())
}
