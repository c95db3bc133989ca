//! A function that runs in another process captures nothing. What borrows, or owns more than `Copy` values, is
//! refused by `cargo check` already; see `ui/build` for the rest.

use phalanx::Pool;
use phalanx::Store;
use phalanx::prelude::*;

fn main() {
    let text = String::from("text");
    let _ = Process::spawn(move |(): ()| text.len(), ()); //~ error

    let prefix = String::from("prefix");
    let pool = Pool::global().unwrap();
    let _ = pool.run(move |name: String| format!("{prefix} {name}"), "name".into()); //~ error

    let by = String::from("by");
    let number = Store::start().unwrap().cell(0_usize).unwrap();
    let _ = number.update(move |number: &mut usize, (): ()| *number += by.len(), ()); //~ error

    let length = 3;
    let _ = Process::spawn(|n: usize| n + length, 4); //~ error
}
