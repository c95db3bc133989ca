//! What a task cannot be. It stays a function all the same.

use phalanx::prelude::*;

#[task]
fn reference(text: &str, numbers: &[u64]) -> usize {
    text.len() + numbers.len()
}

#[task]
fn generic<T: Into<u64>>(value: T) -> u64 {
    value.into()
}

#[task]
fn hidden(value: impl Into<u64>) -> impl Iterator<Item = u64> {
    std::iter::once(value.into())
}

#[task]
async fn asynchronous() {}

#[task]
unsafe fn dangerous() {}

#[task]
extern "C" fn foreign() {}

#[task]
fn never() -> ! {
    std::process::exit(0)
}

#[task(mailbox = 3, name = "one", name = "two", start_timeout = "5", output = pipe)]
fn options() {}

struct Holder;

impl Holder {
    #[task]
    fn method(&self, _text: &str) {}
}

#[task]
struct Data;

fn main() {
    let _ = (reference("", &[]), generic(3u8), hidden(3u8));
    let _ = options::spawn();
    Holder.method("");
    let _ = Data;
}
