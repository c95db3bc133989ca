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
/// Counts words.
pub struct WordCount {
    total: u64,
}
/// The messages of [`WordCount`], as methods of the reference to it.
#[allow(dead_code, missing_debug_implementations)]
pub struct WordCountCalls(
    ::phalanx::__private::RawRef,
    ::core::marker::PhantomData<fn() -> ()>,
);
#[allow(deprecated, clippy::all, clippy::pedantic)]
const _: () = {
    #[automatically_derived]
    impl ::core::clone::Clone for WordCountCalls {
        fn clone(&self) -> Self {
            Self(::core::clone::Clone::clone(&self.0), ::core::marker::PhantomData)
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Calls for WordCountCalls {
        fn from_raw(raw: ::phalanx::__private::RawRef) -> Self {
            Self(raw, ::core::marker::PhantomData)
        }
        fn raw(&self) -> &::phalanx::__private::RawRef {
            &self.0
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::ActorStruct for WordCount {
        type Calls = WordCountCalls;
        const OPTIONS: ::phalanx::__private::Options = ::phalanx::__private::Options {
            name: ::core::option::Option::Some("words"),
            mailbox: ::core::option::Option::Some(64u32),
            deadline: ::core::option::Option::Some(
                ::core::time::Duration::from_secs(2u64),
            ),
            ..::phalanx::__private::Options::DEFAULT
        };
    }
};
#[allow(deprecated)]
const _: () = ::phalanx::__private::check_has_block::<WordCount>();
impl WordCount {
    /// Adds the words of `text`, and returns the new total.
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    pub fn add(&mut self, text: String) -> u64 {
        self.total += text.split_whitespace().count() as u64;
        self.total
    }
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    fn reset(&mut self) {
        self.total = 0;
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
        add,
        reset,
    }
    impl WordCountCalls {
        const __add: ::phalanx::__private::Ask<(String,), u64, u64> = ::phalanx::__private::ask::<
            (String,),
            u64,
        >(__Index::add as u32);
        const __reset: ::phalanx::__private::Tell<()> = ::phalanx::__private::tell::<
            (),
        >(__Index::reset as u32);
        /// Adds the words of `text`, and returns the new total.
        pub fn add(&self, text: String) -> ::phalanx::__private::Reply<u64> {
            Self::__add.send(::phalanx::__private::Calls::raw(self), (text,))
        }
        /// Like [`add`](Self::add), but does not wait for room in the mailbox.
        ///
        /// # Errors
        ///
        /// When the message was not sent, for example because the mailbox is full; the error gives the arguments back.
        pub fn try_add(
            &self,
            text: String,
        ) -> ::core::result::Result<
            ::phalanx::__private::Reply<u64>,
            ::phalanx::__private::TrySendError<(String,)>,
        > {
            Self::__add.try_send(::phalanx::__private::Calls::raw(self), (text,))
        }
        /// Sends `reset` to the actor, which sends no reply.
        fn reset(&self) -> ::core::result::Result<(), ::phalanx::__private::SendError> {
            Self::__reset.send(::phalanx::__private::Calls::raw(self), ())
        }
        /// Like [`reset`](Self::reset), but does not wait for room in the mailbox.
        ///
        /// # Errors
        ///
        /// When the message was not sent, for example because the mailbox is full; the error gives the arguments back.
        fn try_reset(
            &self,
        ) -> ::core::result::Result<(), ::phalanx::__private::TrySendError<()>> {
            Self::__reset.try_send(::phalanx::__private::Calls::raw(self), ())
        }
    }
    impl WordCount {
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
    impl ::phalanx::__private::Actor for WordCount {
        type Init = Self;
        const CODEC: ::phalanx::__private::InitCodec<Self::Init> = ::phalanx::__private::codec_of_state::<
            Self,
        >();
        const METHODS: &'static [::phalanx::__private::Method] = &[
            ::phalanx::__private::Method::ask("add").signature("(String) -> u64"),
            ::phalanx::__private::Method::tell("reset").signature("()"),
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
                index if index == __Index::add as u32 => {
                    <WordCountCalls>::__add
                        .handle(call, |(text,): (String,)| Self::add(self, text))
                }
                index if index == __Index::reset as u32 => {
                    <WordCountCalls>::__reset.handle(call, |(): ()| Self::reset(self))
                }
                _ => call.unknown(),
            }
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Supervised for WordCount {
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
