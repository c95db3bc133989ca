//! What kind of function a message cannot be.

use std::pin::Pin;
use std::rc::Rc;

use phalanx::prelude::*;

#[actor]
struct Machine<T> {
    value: T,
}

#[actor]
impl<T: Clone> Machine<T> {
    fn generic<U: Into<u64>>(&self, value: U) {
        let _ = value.into();
    }

    fn sized<const N: usize>(&self, _array: [u8; N]) {}

    fn lifetime<'a>(&'a self) {}

    fn bounded(&self)
    where
        T: Copy,
    {
    }

    async fn wait(&self) {}

    unsafe fn poke(&mut self) {}

    extern "C" fn call(&self) {}

    fn consume(self) {}

    fn consume_mut(mut self) {
        self.value = self.value.clone();
    }

    fn boxed(self: Box<Self>) {}

    fn counted(self: Rc<Self>) {}

    fn pinned(self: Pin<&mut Self>) {}

    const fn constant(&self) -> u64 {
        3
    }

    fn typed(self: &mut Self) -> T {
        self.value.clone()
    }
}

fn main() {
    let machine = Machine { value: 1u8 }.spawn();
    let _ = machine.map(|machine| (machine.constant(), machine.typed()));
}
