//! An actor borrows nothing from the process that starts it.

use phalanx::prelude::*;

#[actor]
struct Borrower<'a, T> {
    text: &'a str,
    value: T,
}

#[actor]
impl<'a, T: Clone> Borrower<'a, T> {
    fn value(&self) -> T {
        self.value.clone()
    }
}

struct Plain<'a>(&'a str);

#[actor]
impl Plain<'_> {
    fn length(&self) -> usize {
        self.0.len()
    }
}

fn main() {
    let _ = Borrower { text: "", value: 1 }.value();
    let _ = Borrower { text: "", value: 1 }.text;
    let _ = Plain("").length();
}
