#[allow(clippy::needless_pass_by_value)]
/// The square of `n`.
pub fn square(n: u64) -> u64 {
    n * n
}
/// The square of `n`.
///
/// `square::spawn(..)` runs this function in a process of its own.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations)]
pub struct square {}
#[allow(dead_code, deprecated, unreachable_pub, clippy::all, clippy::pedantic)]
const _: () = {
    impl square {
        const __TASK: ::phalanx::__private::DeclaredTask<(u64,), u64, u64> = ::phalanx::__private::task::<
            _,
            _,
            (u64,),
            u64,
        >(|(n,): (u64,)| square(n), |n: u64| square(n), "square");
        /// Runs [`square`](fn@square) in a process of its own.
        ///
        /// # Errors
        ///
        /// When the process could not be started.
        pub fn spawn(
            n: u64,
        ) -> ::core::result::Result<
            ::phalanx::__private::Process<u64>,
            ::phalanx::__private::SpawnError,
        > {
            Self::builder(n).spawn()
        }
        /// Like `spawn`, as a future, which blocks no thread of an executor. If the future is dropped, the process is stopped.
        pub fn spawn_async(
            n: u64,
        ) -> ::phalanx::__private::Spawning<::phalanx::__private::Process<u64>> {
            Self::builder(n).spawn_async()
        }
        /// Sets a process up that will run [`square`](fn@square).
        pub fn builder(n: u64) -> ::phalanx::__private::ProcessBuilder<u64> {
            Self::__TASK.builder((n,), ::phalanx::__private::Options::DEFAULT)
        }
        /// [`square`](fn@square) as what a pool runs: its own error is told apart from the pool's.
        pub fn task() -> ::phalanx::__private::TaskDef<u64, u64> {
            Self::__TASK.by_name()
        }
    }
};
