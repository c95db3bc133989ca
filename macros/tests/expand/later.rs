impl Desk {
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    fn plain(&mut self) -> Later<u64> {
        self.keep()
    }
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    fn fallible(&mut self, limit: Duration) -> phalanx::Later<Result<Self, String>> {
        self.keep_until(limit)
    }
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    fn aliased(&mut self) -> Later<io::Result<u64>> {
        self.keep()
    }
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
        plain,
        fallible,
        aliased,
    }
    impl DeskCalls {
        const __plain: ::phalanx::__private::Ask<
            (),
            ::phalanx::__private::Later<u64>,
            u64,
        > = ::phalanx::__private::ask_later::<(), u64>(__Index::plain as u32);
        const __fallible: ::phalanx::__private::Ask<
            (Duration,),
            ::phalanx::__private::Later<::core::result::Result<Desk, String>>,
            Desk,
            String,
        > = ::phalanx::__private::ask_later_result::<
            (Duration,),
            Desk,
            String,
        >(__Index::fallible as u32);
        const __aliased: ::phalanx::__private::Ask<
            (),
            ::phalanx::__private::Later<
                ::core::result::Result<
                    <io::Result<u64> as ::phalanx::__private::ResultLike>::Ok,
                    <io::Result<u64> as ::phalanx::__private::ResultLike>::Err,
                >,
            >,
            <io::Result<u64> as ::phalanx::__private::ResultLike>::Ok,
            <io::Result<u64> as ::phalanx::__private::ResultLike>::Err,
        > = ::phalanx::__private::ask_later_result::<
            (),
            <io::Result<u64> as ::phalanx::__private::ResultLike>::Ok,
            <io::Result<u64> as ::phalanx::__private::ResultLike>::Err,
        >(__Index::aliased as u32);
        /// Sends `plain` to the actor; the reply carries the result.
        fn plain(&self) -> ::phalanx::__private::Reply<u64> {
            Self::__plain.send(::phalanx::__private::Calls::raw(self), ())
        }
        /// Like [`plain`](Self::plain), but does not wait for room in the mailbox.
        ///
        /// # Errors
        ///
        /// When the message was not sent, for example because the mailbox is full; the error gives the arguments back.
        fn try_plain(
            &self,
        ) -> ::core::result::Result<
            ::phalanx::__private::Reply<u64>,
            ::phalanx::__private::TrySendError<()>,
        > {
            Self::__plain.try_send(::phalanx::__private::Calls::raw(self), ())
        }
        /// Sends `fallible` to the actor; the reply carries the result.
        fn fallible(
            &self,
            limit: Duration,
        ) -> ::phalanx::__private::Reply<Desk, String> {
            Self::__fallible.send(::phalanx::__private::Calls::raw(self), (limit,))
        }
        /// Like [`fallible`](Self::fallible), but does not wait for room in the mailbox.
        ///
        /// # Errors
        ///
        /// When the message was not sent, for example because the mailbox is full; the error gives the arguments back.
        fn try_fallible(
            &self,
            limit: Duration,
        ) -> ::core::result::Result<
            ::phalanx::__private::Reply<Desk, String>,
            ::phalanx::__private::TrySendError<(Duration,)>,
        > {
            Self::__fallible.try_send(::phalanx::__private::Calls::raw(self), (limit,))
        }
        /// Sends `aliased` to the actor; the reply carries the result.
        fn aliased(
            &self,
        ) -> ::phalanx::__private::Reply<
            <io::Result<u64> as ::phalanx::__private::ResultLike>::Ok,
            <io::Result<u64> as ::phalanx::__private::ResultLike>::Err,
        > {
            Self::__aliased.send(::phalanx::__private::Calls::raw(self), ())
        }
        /// Like [`aliased`](Self::aliased), but does not wait for room in the mailbox.
        ///
        /// # Errors
        ///
        /// When the message was not sent, for example because the mailbox is full; the error gives the arguments back.
        fn try_aliased(
            &self,
        ) -> ::core::result::Result<
            ::phalanx::__private::Reply<
                <io::Result<u64> as ::phalanx::__private::ResultLike>::Ok,
                <io::Result<u64> as ::phalanx::__private::ResultLike>::Err,
            >,
            ::phalanx::__private::TrySendError<()>,
        > {
            Self::__aliased.try_send(::phalanx::__private::Calls::raw(self), ())
        }
    }
    impl Desk {
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
    impl ::phalanx::__private::Actor for Desk {
        type Init = Self;
        const CODEC: ::phalanx::__private::InitCodec<Self::Init> = ::phalanx::__private::codec_of_state::<
            Self,
        >();
        const METHODS: &'static [::phalanx::__private::Method] = &[
            ::phalanx::__private::Method::ask("plain").signature("() -> Later<u64>"),
            ::phalanx::__private::Method::ask("fallible")
                .signature("(Duration) -> phalanx::Later<Result<Self, String>>"),
            ::phalanx::__private::Method::ask("aliased")
                .signature("() -> Later<io::Result<u64>>"),
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
                index if index == __Index::plain as u32 => {
                    <DeskCalls>::__plain.handle(call, |(): ()| Self::plain(self))
                }
                index if index == __Index::fallible as u32 => {
                    <DeskCalls>::__fallible
                        .handle(
                            call,
                            |(limit,): (Duration,)| Self::fallible(self, limit),
                        )
                }
                index if index == __Index::aliased as u32 => {
                    <DeskCalls>::__aliased.handle(call, |(): ()| Self::aliased(self))
                }
                _ => call.unknown(),
            }
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Supervised for Desk {
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
