//! What cases about tasks need of a whole program.

use phalanx::prelude::*;

/// Prints the names of tasks that were given none.
#[phalanx::main]
pub(crate) fn names() -> phalanx::Result<()> {
    fn plain(_: ()) -> String {
        phalanx::current().name().to_owned()
    }
    for process in [
        Process::spawn(|()| phalanx::current().name().to_owned(), ())?,
        Process::spawn(plain, ())?,
        by_attribute::spawn()?,
        by_attribute::builder().name("given").spawn()?,
        by_attribute::spawn()?,
    ] {
        println!("{} {}", process.name(), process.join()?);
    }
    Ok(())
}

/// Its own name, and that of a task that it starts itself.
#[task]
fn by_attribute() -> String {
    let inner = Process::spawn(|()| phalanx::current().name().to_owned(), ());
    let inner = inner.map(|inner| inner.join().unwrap_or_default()).unwrap_or_default();
    format!("{} {inner}", phalanx::current().name())
}

/// What the program may use, and what a process of it may.
pub(crate) fn parallelism() -> phalanx::Result<()> {
    let there = Process::spawn(|()| phalanx::parallelism(), ())?.join()?;
    println!("{} {there}", phalanx::parallelism());
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
    let code = if cfg!(panic = "abort") { -6 } else { 101 };
    println!("its exit code is that of its build: {}", process.exit_code() == Some(code));
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
