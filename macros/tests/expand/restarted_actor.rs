#[derive(
    ::phalanx::__private::serde::Serialize,
    ::phalanx::__private::serde::Deserialize
)]
#[serde(
    crate = "::phalanx::__private::serde",
    bound(
        serialize = "for<'__p> u64: ::phalanx::__private::Field",
        deserialize = "for<'__p> u64: ::phalanx::__private::Field"
    ),
)]
struct Importer {
    seen: u64,
}
/// The messages of [`Importer`], as methods of the reference to it.
#[allow(dead_code, missing_debug_implementations)]
struct ImporterCalls(
    ::phalanx::__private::RawRef,
    ::core::marker::PhantomData<fn() -> ()>,
);
#[allow(deprecated, clippy::all, clippy::pedantic)]
const _: () = {
    #[automatically_derived]
    impl ::core::clone::Clone for ImporterCalls {
        fn clone(&self) -> Self {
            Self(::core::clone::Clone::clone(&self.0), ::core::marker::PhantomData)
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Calls for ImporterCalls {
        fn from_raw(raw: ::phalanx::__private::RawRef) -> Self {
            Self(raw, ::core::marker::PhantomData)
        }
        fn raw(&self) -> &::phalanx::__private::RawRef {
            &self.0
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::ActorStruct for Importer {
        type Calls = ImporterCalls;
        const OPTIONS: ::phalanx::__private::Options = ::phalanx::__private::Options {
            restart: ::core::option::Option::Some(
                ::phalanx::__private::Restart::Transient,
            ),
            intensity: ::core::option::Option::Some(
                ::phalanx::__private::Intensity::new(
                    5u32,
                    ::core::time::Duration::from_secs(10u64),
                ),
            ),
            backoff: ::core::option::Option::Some(
                ::phalanx::__private::Backoff::new(
                    ::core::time::Duration::new(0u64, 100000000u32),
                    ::core::time::Duration::from_secs(30u64),
                ),
            ),
            shutdown: ::core::option::Option::Some(
                ::phalanx::__private::Shutdown::Timeout(
                    ::core::time::Duration::from_secs(2u64),
                ),
            ),
            significant: true,
            recycle: ::core::option::Option::Some(::phalanx::__private::Recycle {
                messages: ::core::option::Option::Some(1000u64),
                jitter: 10u8,
                ..::phalanx::__private::Recycle::NEVER
            }),
            drain: ::core::option::Option::Some(::phalanx::__private::Drain::Always),
            output: ::core::option::Option::Some(::phalanx::__private::Destination::Log),
            ..::phalanx::__private::Options::DEFAULT
        };
    }
};
#[allow(deprecated)]
const _: () = ::phalanx::__private::check_has_block::<Importer>();
impl Importer {
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    fn catch_up(&mut self) {}
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    fn mourn(&mut self, down: Down) {}
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    fn import(&mut self, row: Row) -> u64 {
        self.seen
    }
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    fn touch(&mut self) {}
}
#[allow(
    dead_code,
    deprecated,
    non_upper_case_globals,
    unreachable_pub,
    clippy::all,
    clippy::pedantic
)]
const _: () = {
    #[allow(non_camel_case_types)]
    enum __Index {
        import,
        touch,
    }
    impl ImporterCalls {
        const __import: ::phalanx::__private::Ask<(Row,), u64, u64> = ::phalanx::__private::ask::<
            (Row,),
            u64,
        >(__Index::import as u32);
        const __touch: ::phalanx::__private::Tell<()> = ::phalanx::__private::tell::<
            (),
        >(__Index::touch as u32);
        /// Sends `import` to the actor; the reply carries the result.
        fn import(&self, row: Row) -> ::phalanx::__private::Reply<u64> {
            Self::__import.send(::phalanx::__private::Calls::raw(self), (row,))
        }
        /// Like [`import`](Self::import), but does not wait for room in the mailbox.
        ///
        /// # Errors
        ///
        /// When the message was not sent, for example because the mailbox is full; the error gives the arguments back.
        fn try_import(
            &self,
            row: Row,
        ) -> ::core::result::Result<
            ::phalanx::__private::Reply<u64>,
            ::phalanx::__private::TrySendError<(Row,)>,
        > {
            Self::__import.try_send(::phalanx::__private::Calls::raw(self), (row,))
        }
        /// Sends `touch` to the actor, which sends no reply.
        fn touch(&self) -> ::core::result::Result<(), ::phalanx::__private::SendError> {
            Self::__touch.send(::phalanx::__private::Calls::raw(self), ())
        }
        /// Like [`touch`](Self::touch), but does not wait for room in the mailbox.
        ///
        /// # Errors
        ///
        /// When the message was not sent, for example because the mailbox is full; the error gives the arguments back.
        fn try_touch(
            &self,
        ) -> ::core::result::Result<(), ::phalanx::__private::TrySendError<()>> {
            Self::__touch.try_send(::phalanx::__private::Calls::raw(self), ())
        }
    }
    impl Importer {
        /// Starts the actor in a process of its own, and waits until it is ready.
        ///
        /// # Errors
        ///
        /// When the process could not be started, or the actor did not become ready in it.
        pub fn spawn(
            self,
        ) -> ::core::result::Result<
            ::phalanx::__private::ActorRef<Self>,
            ::phalanx::__private::SpawnError,
        > {
            ::phalanx::__private::spawn::<Self>(self)
        }
        /// Like `spawn`, as a future, which blocks no thread of an executor. If the future is dropped, what it
        /// has started is stopped.
        pub fn spawn_async(
            self,
        ) -> ::phalanx::__private::Spawning<::phalanx::__private::ActorRef<Self>> {
            ::phalanx::__private::spawn_async::<Self>(self)
        }
        /// Sets the actor up; the builder's `spawn` starts it.
        pub fn builder(self) -> ::phalanx::__private::ActorBuilder<Self> {
            ::phalanx::__private::builder::<Self>(self)
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Actor for Importer {
        type Init = Self;
        const CODEC: ::phalanx::__private::InitCodec<Self::Init> = ::phalanx::__private::codec_of_state::<
            Self,
        >();
        const METHODS: &'static [::phalanx::__private::Method] = &[
            ::phalanx::__private::Method::ask("import")
                .signature("(Row) -> u64")
                .idempotent(3u32),
            ::phalanx::__private::Method::tell("touch")
                .signature("()")
                .deadline(::core::time::Duration::from_secs(1u64))
                .idempotent(5u32),
        ];
        fn init(
            init: Self::Init,
        ) -> ::core::result::Result<Self, ::phalanx::__private::InitFailure> {
            ::core::result::Result::Ok(init)
        }
        fn handle(
            &mut self,
            call: ::phalanx::__private::Call<'_>,
        ) -> ::phalanx::__private::Answer {
            match call.method() {
                index if index == __Index::import as u32 => {
                    <ImporterCalls>::__import
                        .handle(call, |(row,): (Row,)| Self::import(self, row))
                }
                index if index == __Index::touch as u32 => {
                    <ImporterCalls>::__touch.handle(call, |(): ()| Self::touch(self))
                }
                _ => call.unknown(),
            }
        }
        fn on_start(&mut self) {
            Self::catch_up(self);
        }
        const TRAPS_EXITS: bool = true;
        fn on_exit(&mut self, down: ::phalanx::__private::Down) {
            Self::mourn(self, down);
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Supervised for Importer {
        type Args = Self;
        type Ref = ::phalanx::__private::ActorRef<Self>;
        const OPTIONS: ::phalanx::__private::Options = <Self as ::phalanx::__private::ActorStruct>::OPTIONS;
        fn frame() -> ::phalanx::__private::Frame {
            ::phalanx::__private::Frame::actor::<Self>()
        }
        fn filled(args: Self::Args) -> ::phalanx::__private::ChildSpec {
            ::phalanx::__private::IntoChild::into_child(
                ::phalanx::__private::builder::<Self>(args),
            )
        }
    }
};
