//! Handlers, hooks and tasks are synchronous.

use phalanx::prelude::*;

#[actor]
struct Fetcher;

#[actor]
impl Fetcher {
    #[on_start]
    async fn start(&mut self) {} //~ error

    async fn fetch(&self, url: String) -> Result<String, String> { //~ error
        Ok(url)
    }

    #[tell]
    async fn forget(&mut self) {} //~ error
}

#[task]
async fn download(url: String) -> String { //~ error
    url
}

fn main() {}
