//! Functions that can run in another process, because they take nothing of this one with them.

/// A function, or a closure that captures nothing: another process of the program finds it by its type.
///
/// Implemented for each; a closure that captures is refused by the compiler. One that borrows, or that owns a
/// value which is not `Copy`, is refused where it is written. A `move` closure with nothing but `Copy` values in
/// it is refused when the program is built, and not yet by `cargo check`: the compiler has no trait that tells
/// it from one without.
///
/// ```
/// use phalanx::prelude::*;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let by = 3;
/// let tripled = Process::spawn(|(n, by): (u64, u64)| n * by, (14, by))?; // an argument, not a capture
/// assert_eq!(tripled.join()?, 42);
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # use phalanx::prelude::*;
/// # fn main() -> phalanx::Result<()> {
/// let by = 3;
/// Process::spawn(move |n: u64| n * by, 14)?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a function that runs in another process cannot capture data: pass the data as arguments",
    label = "captures data, which stays in this process"
)]
pub trait Captureless: Copy + 'static {
    #[doc(hidden)]
    const CHECK: () = assert!(
        size_of::<Self>() == 0,
        "a function that runs in another process cannot capture data: pass the data as arguments"
    );
}

#[diagnostic::do_not_recommend]
impl<F: Copy + 'static> Captureless for F {}
