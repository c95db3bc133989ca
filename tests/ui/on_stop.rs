//! `#[on_stop]` is called by the runtime, once.

use phalanx::prelude::*;

#[actor]
struct Log;

#[actor]
impl Log {
    #[on_stop]
    fn close(&mut self, _reason: String) -> Result<(), String> {
        Ok(())
    }

    #[on_stop]
    fn close_again(&mut self) {}
}

#[actor]
struct Other;

#[actor]
impl Other {
    #[on_stop]
    fn close(self) {}
}

#[actor]
struct Third;

#[actor]
impl Third {
    #[on_stop]
    async fn close<T>() {}
}

fn main() {
    let _ = (Log.spawn(), Other.spawn(), Third.spawn());
}
