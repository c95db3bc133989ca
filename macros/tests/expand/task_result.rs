#[allow(clippy::needless_pass_by_value)]
fn divide(a: u64, b: u64) -> Result<u64, String> {
    a.checked_div(b).ok_or_else(|| "division by zero".to_owned())
}
/// `divide::spawn(..)` runs this function in a process of its own.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations)]
struct divide {}
#[allow(dead_code, deprecated, unreachable_pub, clippy::all, clippy::pedantic)]
const _: () = {
    impl divide {
        const __TASK: ::phalanx::__private::DeclaredTask<
            (u64, u64),
            (u64, u64),
            u64,
            String,
        > = ::phalanx::__private::task_result::<
            _,
            _,
            (u64, u64),
            u64,
            String,
        >(
            |(a, b): (u64, u64)| divide(a, b),
            |(a, b): (u64, u64)| divide(a, b),
            "divide",
        );
        /// Runs [`divide`](fn@divide) in a process of its own.
        ///
        /// # Errors
        ///
        /// When the process could not be started.
        fn spawn(
            a: u64,
            b: u64,
        ) -> ::core::result::Result<
            ::phalanx::__private::Process<u64, String>,
            ::phalanx::__private::SpawnError,
        > {
            Self::builder(a, b).spawn()
        }
        /// Like `spawn`, as a future, which blocks no thread of an executor. If the future is dropped, the process is stopped.
        fn spawn_async(
            a: u64,
            b: u64,
        ) -> ::phalanx::__private::Spawning<::phalanx::__private::Process<u64, String>> {
            Self::builder(a, b).spawn_async()
        }
        /// Sets a process up that will run [`divide`](fn@divide).
        fn builder(a: u64, b: u64) -> ::phalanx::__private::ProcessBuilder<u64, String> {
            Self::__TASK
                .builder(
                    (a, b),
                    ::phalanx::__private::Options {
                        name: ::core::option::Option::Some("divider"),
                        daemon: true,
                        ..::phalanx::__private::Options::DEFAULT
                    },
                )
        }
        /// [`divide`](fn@divide) as what a pool runs: its own error is told apart from the pool's.
        fn task() -> ::phalanx::__private::TaskDef<(u64, u64), u64, String> {
            Self::__TASK.by_name()
        }
    }
};
