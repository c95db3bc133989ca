//! `#[on_start]` is called by the runtime, once in each process.

use phalanx::prelude::*;

#[actor]
struct Log;

#[actor]
impl Log {
    #[on_start]
    fn open(&mut self, _path: String) -> Result<(), String> {
        Ok(())
    }

    #[on_start]
    fn open_again(&mut self) {}
}

#[actor]
struct Other;

#[actor]
impl Other {
    #[on_start]
    fn open(self) {}
}

#[actor]
struct Third;

#[actor]
impl Third {
    #[on_start(later)]
    #[on_stop]
    fn both(&mut self) {}

    #[on_start]
    async fn open<T>() {}
}

fn main() {
    let _ = (Log.spawn(), Other.spawn(), Third.spawn());
}
