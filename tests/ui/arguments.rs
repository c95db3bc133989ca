//! Arguments and results travel to another process, so they own their data.

use std::borrow::Cow;
use std::path::Path;

use phalanx::prelude::*;

#[actor]
struct Library;

#[actor]
impl Library {
    fn text(&self, _text: &str) {}

    fn several(&mut self, _bytes: &[u8], _path: &Path, _number: &u64, _out: &mut String) {}

    fn nested(&self, _names: Vec<Option<&'static str>>) {}

    fn iterator(&self, _numbers: impl Iterator<Item = u64>) {}

    fn callback(&self, _f: fn(u64) -> u64, _p: *const u8) {}

    fn hidden(&self, _text: Cow<'_, str>) {}

    fn owned(&self, _text: Cow<'static, str>) {}

    fn chosen(&self, #[cfg(unix)] _number: u64) {}

    fn borrowed(&self) -> &str {
        ""
    }

    fn first(&self) -> Option<&u64> {
        None
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        std::iter::empty()
    }

    fn never(&self) -> ! {
        std::process::exit(0)
    }
}

fn main() {
    let _ = Library.spawn().map(|library| library.owned("".into()));
}
