//! `#[on_exit]` is called by the runtime, and told who has ended.

use phalanx::Down;
use phalanx::prelude::*;

#[actor]
struct Log;

#[actor]
impl Log {
    #[on_exit]
    fn nobody(&mut self) {}

    #[on_exit]
    fn again(&mut self, _down: Down) {}
}

#[actor]
struct Other;

#[actor]
impl Other {
    #[on_exit]
    fn two(&mut self, _down: Down, _more: u64) -> u64 {
        5
    }
}

#[actor(drain = sometimes)]
struct Third;

#[actor]
impl Third {
    #[on_exit]
    fn something_else(&mut self, _down: String) {}
}

#[actor]
struct Fourth;

#[actor]
impl Fourth {
    #[on_exit]
    fn by_value(self, _down: Down) {}
}

fn main() {
    let _ = (Log.spawn(), Other.spawn(), Third.spawn(), Fourth.spawn());
}
