//! Arguments, results and errors are serde.

use phalanx::prelude::*;

struct Image;

#[actor]
struct Painter;

#[actor]
impl Painter {
    fn paint(&self, _image: Image) {}

    fn painted(&self) -> Image {
        Image
    }
}

#[task]
fn paint(_image: Image) {}

fn main() {}
