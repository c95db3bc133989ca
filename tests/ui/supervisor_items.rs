//! A supervisor is declared by a struct with named fields, and is not generic.

use phalanx::prelude::*;

#[actor]
struct Db;

#[actor]
impl Db {}

#[supervisor]
struct Tuple(Db, Db);

#[supervisor]
struct Generic<A: phalanx::Actor, const N: usize> {
    db: Db,
    actor: A,
}

#[supervisor]
struct Borrowing<'a> {
    db: &'a Db,
}

#[supervisor]
struct Where
where
    Vec<Db>: Sized,
{
    db: Db,
}

#[supervisor]
enum Either {
    This(Db),
}

#[supervisor]
union Overlaid {
    one: u8,
}

#[supervisor]
impl Db {}

#[supervisor]
fn start() {}

#[supervisor]
trait Starts {}

#[supervisor]
struct Twice {
    db: Db,
    db: Db,
}

fn main() {
    start();
}
