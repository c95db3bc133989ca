#[derive(
    ::phalanx::__private::serde::Serialize,
    ::phalanx::__private::serde::Deserialize
)]
#[serde(
    crate = "::phalanx::__private::serde",
    bound(
        serialize = "for<'__p> HashMap<K, V>: ::phalanx::__private::Field",
        deserialize = "for<'__p> HashMap<K, V>: ::phalanx::__private::Field"
    ),
)]
struct Cache<K: Hash + Eq, V, const N: usize = 8> {
    entries: HashMap<K, V>,
}
/// The messages of [`Cache`], as methods of the reference to it.
#[allow(dead_code, missing_debug_implementations)]
struct CacheCalls<K, V, const N: usize = 8>(
    ::phalanx::__private::RawRef,
    ::core::marker::PhantomData<fn() -> (K, V)>,
);
#[allow(deprecated, clippy::all, clippy::pedantic)]
const _: () = {
    #[automatically_derived]
    impl<K, V, const N: usize> ::core::clone::Clone for CacheCalls<K, V, N> {
        fn clone(&self) -> Self {
            Self(::core::clone::Clone::clone(&self.0), ::core::marker::PhantomData)
        }
    }
    #[automatically_derived]
    impl<K, V, const N: usize> ::phalanx::__private::Calls for CacheCalls<K, V, N>
    where
        K: 'static,
        V: 'static,
    {
        fn from_raw(raw: ::phalanx::__private::RawRef) -> Self {
            Self(raw, ::core::marker::PhantomData)
        }
        fn raw(&self) -> &::phalanx::__private::RawRef {
            &self.0
        }
    }
    #[automatically_derived]
    impl<K: Hash + Eq, V, const N: usize> ::phalanx::__private::ActorStruct
    for Cache<K, V, N>
    where
        K: 'static,
        V: 'static,
    {
        type Calls = CacheCalls<K, V, N>;
        const OPTIONS: ::phalanx::__private::Options = ::phalanx::__private::Options::DEFAULT;
    }
};
impl<K: Hash + Eq, V: Clone, const N: usize> Cache<K, V, N> {
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    fn get(&self, key: K) -> Option<V> {
        self.entries.get(&key).cloned()
    }
    #[cfg(unix)]
    #[allow(
        clippy::needless_pass_by_value,
        clippy::must_use_candidate,
        clippy::unused_self
    )]
    fn put(&mut self, key: K, value: V) -> Result<Option<V>, String> {
        if self.entries.len() == N {
            Err("full".into())
        } else {
            Ok(self.entries.insert(key, value))
        }
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
        get,
        #[cfg(unix)]
        put,
    }
    impl<K: Hash + Eq, V: Clone, const N: usize> CacheCalls<K, V, N>
    where
        K: ::phalanx::__private::Portable,
        V: ::phalanx::__private::Portable,
    {
        const __get: ::phalanx::__private::Ask<(K,), Option<V>, Option<V>> = ::phalanx::__private::ask::<
            (K,),
            Option<V>,
        >(__Index::get as u32);
        #[cfg(unix)]
        const __put: ::phalanx::__private::Ask<
            (K, V),
            ::core::result::Result<Option<V>, String>,
            Option<V>,
            String,
        > = ::phalanx::__private::ask_result::<
            (K, V),
            Option<V>,
            String,
        >(__Index::put as u32);
        /// Sends `get` to the actor; the reply carries the result.
        fn get(&self, key: K) -> ::phalanx::__private::Reply<Option<V>> {
            Self::__get.send(::phalanx::__private::Calls::raw(self), (key,))
        }
        /// Like [`get`](Self::get), but does not wait for room in the mailbox.
        ///
        /// # Errors
        ///
        /// When the message was not sent, for example because the mailbox is full; the error gives the arguments back.
        fn try_get(
            &self,
            key: K,
        ) -> ::core::result::Result<
            ::phalanx::__private::Reply<Option<V>>,
            ::phalanx::__private::TrySendError<(K,)>,
        > {
            Self::__get.try_send(::phalanx::__private::Calls::raw(self), (key,))
        }
        /// Sends `put` to the actor; the reply carries the result.
        #[cfg(unix)]
        fn put(
            &self,
            key: K,
            value: V,
        ) -> ::phalanx::__private::Reply<Option<V>, String> {
            Self::__put.send(::phalanx::__private::Calls::raw(self), (key, value))
        }
        /// Like [`put`](Self::put), but does not wait for room in the mailbox.
        ///
        /// # Errors
        ///
        /// When the message was not sent, for example because the mailbox is full; the error gives the arguments back.
        #[cfg(unix)]
        fn try_put(
            &self,
            key: K,
            value: V,
        ) -> ::core::result::Result<
            ::phalanx::__private::Reply<Option<V>, String>,
            ::phalanx::__private::TrySendError<(K, V)>,
        > {
            Self::__put.try_send(::phalanx::__private::Calls::raw(self), (key, value))
        }
    }
    impl<K: Hash + Eq, V: Clone, const N: usize> Cache<K, V, N>
    where
        K: ::phalanx::__private::Portable,
        V: ::phalanx::__private::Portable,
    {
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
    impl<K: Hash + Eq, V: Clone, const N: usize> ::phalanx::__private::Actor
    for Cache<K, V, N>
    where
        K: ::phalanx::__private::Portable,
        V: ::phalanx::__private::Portable,
    {
        type Init = Self;
        const CODEC: ::phalanx::__private::InitCodec<Self::Init> = ::phalanx::__private::codec_of_state::<
            Self,
        >();
        const METHODS: &'static [::phalanx::__private::Method] = &[
            ::phalanx::__private::Method::ask("get").signature("(K) -> Option<V>"),
            #[cfg(unix)]
            ::phalanx::__private::Method::ask("put")
                .signature("(K, V) -> Result<Option<V>, String>"),
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
                index if index == __Index::get as u32 => {
                    <CacheCalls<K, V, N>>::__get
                        .handle(call, |(key,): (K,)| Self::get(self, key))
                }
                #[cfg(unix)]
                index if index == __Index::put as u32 => {
                    <CacheCalls<K, V, N>>::__put
                        .handle(call, |(key, value): (K, V)| Self::put(self, key, value))
                }
                _ => call.unknown(),
            }
        }
    }
    #[automatically_derived]
    impl<K: Hash + Eq, V: Clone, const N: usize> ::phalanx::__private::Supervised
    for Cache<K, V, N>
    where
        K: ::phalanx::__private::Portable,
        V: ::phalanx::__private::Portable,
    {
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
