#[allow(dead_code)]
struct Workers;
/// What the children of a [`Workers`] are made of.
#[allow(missing_debug_implementations)]
struct WorkersArgs {}
#[derive(
    ::phalanx::__private::serde::Serialize,
    ::phalanx::__private::serde::Deserialize
)]
#[serde(crate = "::phalanx::__private::serde", bound = "")]
/// How to reach a [`Workers`] and its children. Cheap to clone; travels in messages.
struct WorkersRef {
    #[doc(hidden)]
    __supervisor: ::phalanx::__private::SupervisorRef,
}
#[allow(
    dead_code,
    deprecated,
    non_upper_case_globals,
    unreachable_pub,
    unused_mut,
    unused_variables,
    clippy::all,
    clippy::pedantic
)]
const _: () = {
    impl Workers {
        /// Starts the supervisor and its children, in order, each when the one before is ready. Blocks until
        /// all are ready, or one has failed.
        ///
        /// # Errors
        ///
        /// When a child could not be started; those before it have been stopped again.
        fn start(
            args: WorkersArgs,
        ) -> ::core::result::Result<WorkersRef, ::phalanx::__private::SpawnError> {
            ::phalanx::__private::start::<Self>(args)
        }
        /// As `start`, for children that know each other: the refs exist before any child runs, and messages
        /// sent to them wait.
        ///
        /// # Errors
        ///
        /// When a child could not be started; those before it have been stopped again.
        fn start_with(
            args: impl ::core::ops::FnOnce(&WorkersRef) -> WorkersArgs,
        ) -> ::core::result::Result<WorkersRef, ::phalanx::__private::SpawnError> {
            ::phalanx::__private::start_with::<Self>(args)
        }
        /// Like `start`, as a future, which blocks no thread of an executor. If the future is dropped, what
        /// it has started is stopped.
        fn start_async(args: WorkersArgs) -> ::phalanx::__private::Spawning<WorkersRef> {
            ::phalanx::__private::start_async::<Self>(args)
        }
        /// Sets the supervisor up; the builder's `start` starts it, or it becomes the child of another.
        fn builder(
            args: WorkersArgs,
        ) -> ::phalanx::__private::SupervisorBuilder<WorkersRef> {
            ::phalanx::__private::declared::<Self>(args)
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Supervised for Workers {
        type Args = WorkersArgs;
        type Ref = WorkersRef;
        const OPTIONS: ::phalanx::__private::Options = ::phalanx::__private::Options::DEFAULT;
        const IS_SUPERVISOR: bool = true;
        fn frame() -> ::phalanx::__private::Frame {
            let mut frame = ::phalanx::__private::Frame::supervisor(
                "Workers",
                Self::OPTIONS,
                ::phalanx::__private::Supervisor::dynamic(),
            );
            frame
        }
        fn filled(args: Self::Args) -> ::phalanx::__private::ChildSpec {
            Self::frame().fill(::std::vec::Vec::from([]))
        }
    }
    #[automatically_derived]
    impl ::core::clone::Clone for WorkersRef {
        fn clone(&self) -> Self {
            WorkersRef {
                __supervisor: ::core::clone::Clone::clone(&self.__supervisor),
            }
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Reachable for WorkersRef {
        fn at(found: ::phalanx::__private::Found) -> Self {
            let (__supervisor, mut below) = found.open();
            WorkersRef { __supervisor }
        }
    }
    #[automatically_derived]
    impl ::core::ops::Deref for WorkersRef {
        type Target = ::phalanx::__private::SupervisorRef;
        fn deref(&self) -> &Self::Target {
            &self.__supervisor
        }
    }
    #[automatically_derived]
    impl ::core::fmt::Debug for WorkersRef {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            let mut fields = f.debug_struct("WorkersRef");
            fields.field("supervisor", &self.__supervisor);
            fields.finish()
        }
    }
};
