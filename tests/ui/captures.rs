//! A function that runs in another process captures nothing. What borrows, or owns more than `Copy` values, is
//! refused by `cargo check` already; see `ui/build` for the rest.

use phalanx::Store;
use phalanx::prelude::*;

fn in_a_process(text: String) {
    let _ = Process::spawn(move |(): ()| text.len(), ()); //~ error
}

fn in_a_pool(prefix: String) {
    let pool = Pool::global().unwrap();
    let _ = pool.run(move |name: String| format!("{prefix} {name}"), "name".into()); //~ error
}

fn in_a_store(by: String) {
    let number = Store::start().unwrap().cell(0_usize).unwrap();
    let _ = number.update(move |number: &mut usize, (): ()| *number += by.len(), ()); //~ error
}

fn main() {
    let text = String::from("text");
    in_a_process(text.clone());
    in_a_pool(text.clone());
    in_a_store(text);
}
