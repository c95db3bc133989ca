//! The arguments are those of the children, in their types.

use phalanx::prelude::*;

#[actor]
struct Db {
    size: u64,
}

#[actor]
impl Db {}

#[actor]
struct Mailer;

#[actor]
impl Mailer {
    #[init]
    fn new(_from: String) -> Self {
        Mailer
    }
}

#[supervisor]
struct Shop {
    db: Db,
    mailer: Mailer,
    #[child(builder)]
    spare: Db,
}

fn main() {
    let mailer = || Mailer::builder("me".into());
    let _ = Shop::start(ShopArgs { db: 5, mailer: mailer(), spare: Db { size: 5 }.builder() });
    let _ = Shop::start(ShopArgs { db: Db { size: 5 }, mailer: Mailer, spare: Db { size: 5 } });
    let _ = Shop::start(ShopArgs { db: Db { size: 5 }, mailer: mailer() });
}
