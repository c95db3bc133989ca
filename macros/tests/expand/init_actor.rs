#[derive(
    ::phalanx::__private::serde::Serialize,
    ::phalanx::__private::serde::Deserialize
)]
#[serde(
    crate = "::phalanx::__private::serde",
    bound(
        serialize = "for<'__p> TcpStream: ::phalanx::__private::Field",
        deserialize = "for<'__p> TcpStream: ::phalanx::__private::Field"
    ),
)]
pub(crate) struct Connection {
    stream: TcpStream,
}
/// The messages of [`Connection`], as methods of the reference to it.
#[allow(dead_code, missing_debug_implementations)]
pub(crate) struct ConnectionCalls(
    ::phalanx::__private::RawRef,
    ::core::marker::PhantomData<fn() -> ()>,
);
#[allow(deprecated, clippy::all, clippy::pedantic)]
const _: () = {
    #[automatically_derived]
    impl ::core::clone::Clone for ConnectionCalls {
        fn clone(&self) -> Self {
            Self(::core::clone::Clone::clone(&self.0), ::core::marker::PhantomData)
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Calls for ConnectionCalls {
        fn from_raw(raw: ::phalanx::__private::RawRef) -> Self {
            Self(raw, ::core::marker::PhantomData)
        }
        fn raw(&self) -> &::phalanx::__private::RawRef {
            &self.0
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::ActorStruct for Connection {
        type Calls = ConnectionCalls;
        const OPTIONS: ::phalanx::__private::Options = ::phalanx::__private::Options {
            daemon: true,
            memory: ::core::option::Option::Some(67108864u64),
            shutdown: ::core::option::Option::Some(
                ::phalanx::__private::Shutdown::Timeout(
                    ::core::time::Duration::new(0u64, 500000000u32),
                ),
            ),
            ..::phalanx::__private::Options::DEFAULT
        };
    }
};
#[allow(deprecated)]
const _: () = ::phalanx::__private::check_has_block::<Connection>();
impl Connection {
    /// Connects to `address`.
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    pub(crate) fn connect(address: String, mut attempts: u32) -> io::Result<Self> {
        attempts += 1;
        retry(
            attempts,
            || Ok(Connection {
                stream: TcpStream::connect(&*address)?,
            }),
        )
    }
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    pub(crate) fn read(&mut self, (from, to): (u64, u64)) -> io::Result<Vec<u8>> {
        read_range(&mut self.stream, from, to)
    }
    fn flush(&mut self) {}
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    fn close(&mut self) {
        self.flush();
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
        read,
    }
    impl ConnectionCalls {
        const __read: ::phalanx::__private::Ask<
            ((u64, u64),),
            ::core::result::Result<
                <io::Result<Vec<u8>> as ::phalanx::__private::ResultLike>::Ok,
                <io::Result<Vec<u8>> as ::phalanx::__private::ResultLike>::Err,
            >,
            <io::Result<Vec<u8>> as ::phalanx::__private::ResultLike>::Ok,
            <io::Result<Vec<u8>> as ::phalanx::__private::ResultLike>::Err,
        > = ::phalanx::__private::ask_result::<
            ((u64, u64),),
            <io::Result<Vec<u8>> as ::phalanx::__private::ResultLike>::Ok,
            <io::Result<Vec<u8>> as ::phalanx::__private::ResultLike>::Err,
        >(__Index::read as u32);
        /// Sends `read` to the actor; the reply carries the result.
        pub(crate) fn read(
            &self,
            arg0: (u64, u64),
        ) -> ::phalanx::__private::Reply<
            <io::Result<Vec<u8>> as ::phalanx::__private::ResultLike>::Ok,
            <io::Result<Vec<u8>> as ::phalanx::__private::ResultLike>::Err,
        > {
            Self::__read.send(::phalanx::__private::Calls::raw(self), (arg0,))
        }
        /// Like [`read`](Self::read), but does not wait for room in the mailbox.
        ///
        /// # Errors
        ///
        /// When the message was not sent, for example because the mailbox is full; the error gives the arguments back.
        pub(crate) fn try_read(
            &self,
            arg0: (u64, u64),
        ) -> ::core::result::Result<
            ::phalanx::__private::Reply<
                <io::Result<Vec<u8>> as ::phalanx::__private::ResultLike>::Ok,
                <io::Result<Vec<u8>> as ::phalanx::__private::ResultLike>::Err,
            >,
            ::phalanx::__private::TrySendError<((u64, u64),)>,
        > {
            Self::__read.try_send(::phalanx::__private::Calls::raw(self), (arg0,))
        }
    }
    impl Connection {
        /// Starts the actor in a process of its own, and waits until it is ready.
        ///
        /// Connects to `address`.
        ///
        /// # Errors
        ///
        /// When the process could not be started, or the actor did not become ready in it.
        pub(crate) fn spawn(
            address: String,
            attempts: u32,
        ) -> ::core::result::Result<
            ::phalanx::__private::ActorRef<Self>,
            ::phalanx::__private::SpawnError,
        > {
            ::phalanx::__private::spawn::<Self>((address, attempts))
        }
        /// Like `spawn`, as a future, which blocks no thread of an executor. If the future is dropped, what it
        /// has started is stopped.
        pub(crate) fn spawn_async(
            address: String,
            attempts: u32,
        ) -> ::phalanx::__private::Spawning<::phalanx::__private::ActorRef<Self>> {
            ::phalanx::__private::spawn_async::<Self>((address, attempts))
        }
        /// Sets the actor up; the builder's `spawn` starts it.
        pub(crate) fn builder(
            address: String,
            attempts: u32,
        ) -> ::phalanx::__private::ActorBuilder<Self> {
            ::phalanx::__private::builder::<Self>((address, attempts))
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Actor for Connection {
        type Init = (String, u32);
        const CODEC: ::phalanx::__private::InitCodec<Self::Init> = ::phalanx::__private::codec_of_arguments::<
            (String, u32),
        >();
        const METHODS: &'static [::phalanx::__private::Method] = &[
            ::phalanx::__private::Method::ask("read")
                .signature("((u64, u64)) -> io::Result<Vec<u8>>")
                .deadline(::core::time::Duration::from_secs(1u64)),
        ];
        fn init(
            init: Self::Init,
        ) -> ::core::result::Result<Self, ::phalanx::__private::InitFailure> {
            let (address, attempts) = init;
            ::core::result::Result::map_err(
                ::phalanx::__private::ResultLike::into_result(
                    Self::connect(address, attempts),
                ),
                |error| ::phalanx::__private::InitFailure::new(error),
            )
        }
        fn handle(
            &mut self,
            call: ::phalanx::__private::Call<'_>,
        ) -> ::phalanx::__private::Answer {
            match call.method() {
                index if index == __Index::read as u32 => {
                    <ConnectionCalls>::__read
                        .handle(
                            call,
                            |(arg0,): ((u64, u64),)| ::phalanx::__private::ResultLike::into_result(
                                Self::read(self, arg0),
                            ),
                        )
                }
                _ => call.unknown(),
            }
        }
        fn on_stop(&mut self) {
            Self::close(self);
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Supervised for Connection {
        type Args = ::phalanx::__private::ActorBuilder<Self>;
        type Ref = ::phalanx::__private::ActorRef<Self>;
        const OPTIONS: ::phalanx::__private::Options = <Self as ::phalanx::__private::ActorStruct>::OPTIONS;
        fn frame() -> ::phalanx::__private::Frame {
            ::phalanx::__private::Frame::actor::<Self>()
        }
        fn filled(args: Self::Args) -> ::phalanx::__private::ChildSpec {
            ::phalanx::__private::IntoChild::into_child(args)
        }
    }
};
