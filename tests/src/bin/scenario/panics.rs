//! Programs whose actors panic, for what is written of that on standard error.

use std::thread;

use phalanx::prelude::*;
use phalanx::{ExitReason, Pool};
use phalanx_tests::EVENT_TIMEOUT;

/// Panics where it is told to.
#[actor]
struct Clumsy {
    place: String,
}

#[actor]
impl Clumsy {
    #[init]
    fn new(place: String) -> Clumsy {
        assert!(place != "init", "no start");
        Clumsy { place }
    }

    #[on_start]
    fn start(&mut self) {
        assert!(self.place != "on_start", "no first step");
    }

    #[on_stop]
    fn end(&mut self) {
        assert!(self.place != "on_stop", "no last step");
    }

    fn stumble(&self) -> u32 {
        panic!("no rows")
    }

    fn fall(&self) -> phalanx::Result<u32> {
        panic!("no\nlines")
    }

    fn stumble_in_a_thread(&self) -> bool {
        let thread = thread::Builder::new().name("helper".into()).spawn(|| panic!("no columns"));
        thread.is_ok_and(|thread| thread.join().is_err())
    }
}

fn clumsy(place: &str) -> phalanx::ActorBuilder<Clumsy> {
    Clumsy::builder(place.to_owned()).name(place.to_owned())
}

fn stumble_in_a_task((): ()) -> u32 {
    panic!("no task")
}

fn stumble_in_a_pool(_: u32, _: u32) -> u32 {
    panic!("no work")
}

fn stumble_at_first() {
    panic!("no beginning")
}

fn has_panicked(reason: &ExitReason) -> bool {
    matches!(reason, ExitReason::Panicked { .. })
}

/// In every kind of code that a process runs for the program.
#[phalanx::main]
pub(crate) fn everywhere() -> phalanx::Result<()> {
    // Where a panic does not unwind, that of a thread ends the process.
    let ends = cfg!(panic = "abort");
    println!("{}", clumsy("parent").spawn()?.stumble_in_a_thread().wait().unwrap_or(ends));
    println!("{}", clumsy("db").spawn()?.stumble().wait().is_err());
    println!("{}", clumsy("files").spawn()?.fall().wait().is_err());
    println!("{}", clumsy("init").spawn().is_err());
    println!("{}", clumsy("hook").before_start(stumble_at_first).spawn().is_err());
    println!("{}", has_panicked(&clumsy("on_start").spawn()?.join()));
    println!("{}", has_panicked(&clumsy("on_stop").spawn()?.stop(EVENT_TIMEOUT)?));
    println!("{}", Process::builder(stumble_in_a_task, ()).name("job").spawn()?.join().is_err());
    let pool = Pool::builder().workers(1).name("pool").build()?;
    println!("{}", pool.submit(stumble_in_a_pool, (1, 2)).wait().is_err());
    Ok(())
}

/// With a hook of its own: one that ends there, and one that goes on to the one before.
#[phalanx::main]
pub(crate) fn hooked() -> phalanx::Result<()> {
    let own = || std::panic::set_hook(Box::new(|_| eprintln!("my own hook")));
    println!("{}", clumsy("own").before_start(own).spawn()?.stumble().wait().is_err());
    let chained = || {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            eprintln!("before the usual");
            usual(info);
        }));
    };
    println!("{}", clumsy("chained").before_start(chained).spawn()?.stumble().wait().is_err());
    Ok(())
}
