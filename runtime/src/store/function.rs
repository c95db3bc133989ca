//! Functions that travel: code that runs in another process, on an object that an actor there holds.
//!
//! A message carries the place of the code in the executable, as with the entries of processes, and the
//! arguments. The function captures nothing, so nothing else need be sent. The compiler makes one for each
//! combination of types in use, so generics work and nothing is registered.

use std::any::{Any, type_name};
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::actor::answer::Answer;
use crate::actor::call::Call;

use crate::ipc::codec::Portable;
use crate::ipc::user_code::{self, framed};
use crate::sys::executable::{self, Findable, Located};
use crate::types::captureless::Captureless;

/// Where a function lies.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    offset: u64,
    /// Tells whether the offset leads to this function: in another build it leads elsewhere.
    check: u64,
}

/// The code at a [`Place`].
#[derive(Clone, Copy)]
pub(crate) struct Code {
    run: fn(&mut dyn Any, Call<'_>) -> Answer,
    type_name: fn() -> &'static str,
}

impl Findable for Code {
    const MAGIC: u64 = 0x7068_616c_616e_7866;
}

/// The actor that holds the objects which functions run on.
pub(crate) trait Owner: 'static {
    /// How a request names the object.
    type Key: Portable + Copy;
    /// Why a function could not be run.
    type Fault: Portable;

    /// The object of this key.
    ///
    /// # Errors
    /// If the actor holds no such object of this type.
    fn find<S: 'static>(&mut self, key: Self::Key) -> Result<&mut S, Self::Fault>;

    /// Turns a panic of the function into an error for its caller.
    fn panicked(message: String) -> Self::Fault;
}

/// A request to run a function on an object, without its arguments. It comes first in the message, so that
/// the code is known before the arguments are decoded.
#[derive(Serialize, Deserialize)]
pub(crate) struct Head<K> {
    code: Place,
    key: K,
}

/// A function `F` on an `S` that `O` holds, from `A` to `T`.
struct Of<O, S, F, A, T>(PhantomData<(O, S, F, A, T)>);

impl<O: Owner, S: 'static, F: FnOnce(&mut S, A) -> T + Captureless, A: Portable, T: Portable>
    Of<O, S, F, A, T>
{
    const CODE: &'static Located<Code> =
        &Located::new(Code { run: run::<O, S, F, A, T>, type_name: type_name::<F> });
}

impl<K> Head<K> {
    /// The request to run this function; `None` if its code does not lie in the program's executable. It may be
    /// made of a user's function, which the caller has checked: an error of the compiler names that one.
    pub(crate) fn of<O, S, F, A, T>(_: F, key: K) -> Option<Head<K>>
    where
        O: Owner<Key = K>,
        S: 'static,
        F: FnOnce(&mut S, A) -> T + Captureless,
        A: Portable,
        T: Portable,
    {
        let offset = Of::<O, S, F, A, T>::CODE.offset()?;
        Some(Head { code: Place { offset, check: checksum(type_name::<F>()) }, key })
    }
}

/// Runs the function that a message asks for. Catches a panic in it, or in its types.
pub(crate) fn answer<O: Owner>(owner: &mut O, call: Call<'_>) -> Answer {
    let code = call.front::<Place>().and_then(|place| {
        let code = &Located::<Code>::at(place.offset)?.value;
        (checksum((code.type_name)()) == place.check).then_some(code)
    });
    let Some(code) = code else { return Answer::codec("there is no such function in this process") };
    let owner: &mut dyn Any = owner;
    match user_code::caught(|| (code.run)(owner, call)) {
        Ok(answer) => answer,
        Err(payload) => Answer::app(O::panicked(message(&*payload))),
    }
}

fn run<O: Owner, S: 'static, F, A: Portable, T: Portable>(owner: &mut dyn Any, call: Call<'_>) -> Answer
where
    F: FnOnce(&mut S, A) -> T + Captureless,
{
    let (Some(owner), Some(function)) = (owner.downcast_mut::<O>(), executable::from_zero_sized::<F>())
    else {
        return Answer::codec("this function is for another actor");
    };
    call.ask_result(|(head, args): (Head<O::Key>, A)| {
        let found = owner.find::<S>(head.key);
        found.map(|object| framed(|(object, args)| function(object, args), (object, args)))
    })
}

/// FNV-1a: equal in every process of a build, and cheap for a short text.
fn checksum(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The text of a panic.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Owner for Nothing {
        type Key = u64;
        type Fault = String;

        fn find<S: 'static>(&mut self, _: u64) -> Result<&mut S, String> {
            Err("nothing".to_owned())
        }

        fn panicked(message: String) -> String {
            message
        }
    }

    #[test]
    fn a_function_is_found_by_its_place_and_is_the_one_that_was_meant() {
        let double = |number: &mut u64, by: u64| *number * by;
        let head = Head::of::<Nothing, u64, _, u64, u64>(double, 7).unwrap();
        let found = Located::<Code>::at(head.code.offset).unwrap().value;
        assert_eq!(checksum((found.type_name)()), head.code.check);
        assert!(Located::<Code>::at(head.code.offset + 8).is_none());
        assert!(Located::<crate::control::entry::Entry>::at(head.code.offset).is_none());
    }

    #[test]
    fn panics_have_their_words() {
        assert_eq!(message(&"text"), "text");
        assert_eq!(message(&"text".to_owned()), "text");
        assert_eq!(message(&5), "(no message)");
    }
}
