//! `#[init]` makes the actor, once and from what it is given.

use phalanx::prelude::*;

#[actor]
struct Db {
    rows: Vec<u64>,
}

#[actor]
impl Db {
    #[init]
    fn open(path: &str, name: impl Into<String>) -> Result<Self, String> {
        let _ = (path, name.into());
        Ok(Db { rows: Vec::new() })
    }

    #[init]
    fn open_again() -> Self {
        Db { rows: Vec::new() }
    }

    fn rows(&self) -> Vec<u64> {
        self.rows.clone()
    }
}

#[actor]
struct Late;

#[actor]
impl Late {
    #[init]
    fn again(&mut self) -> Self {
        Late
    }
}

#[actor]
struct Lost;

#[actor]
impl Lost {
    #[init]
    fn nothing() {}
}

#[actor]
struct Maybe;

#[actor]
impl Maybe {
    #[init]
    async fn maybe() -> Option<Self> {
        Some(Maybe)
    }
}

#[actor]
struct Chosen;

#[actor]
impl Chosen {
    #[init]
    #[cfg(unix)]
    fn new() -> Self {
        Chosen
    }
}

fn main() {}
