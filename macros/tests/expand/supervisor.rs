#[allow(dead_code)]
/// Sells things.
pub struct Shop {
    /// What there is.
    pub db: Db,
    mailer: Mailer,
    #[cfg(feature = "billing")]
    billing: Billing,
}
/// What the children of a [`Shop`] are made of.
#[allow(missing_debug_implementations)]
pub struct ShopArgs {
    /// What there is.
    pub db: <Db as ::phalanx::__private::Supervised>::Args,
    /// What the child `mailer` is made of.
    mailer: <Mailer as ::phalanx::__private::Supervised>::Args,
    /// What the child `billing` is made of.
    #[cfg(feature = "billing")]
    billing: ::phalanx::__private::ActorBuilder<Billing>,
}
#[derive(
    ::phalanx::__private::serde::Serialize,
    ::phalanx::__private::serde::Deserialize
)]
#[serde(
    crate = "::phalanx::__private::serde",
    bound = "for < '__p > Db : :: phalanx :: __private :: Supervised , for < '__p > Mailer : :: phalanx :: __private :: Supervised"
)]
/// How to reach a [`Shop`] and its children. Cheap to clone; travels in messages.
pub struct ShopRef {
    /// What there is.
    pub db: <Db as ::phalanx::__private::Supervised>::Ref,
    /// The child `mailer`.
    mailer: <Mailer as ::phalanx::__private::Supervised>::Ref,
    /// The child `billing`.
    #[cfg(feature = "billing")]
    billing: <Billing as ::phalanx::__private::Supervised>::Ref,
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
    impl Shop
    where
        for<'__p> Db: ::phalanx::__private::Supervised,
        for<'__p> Mailer: ::phalanx::__private::Supervised,
    {
        /// Starts the supervisor and its children, in order, each when the one before is ready. Blocks until
        /// all are ready, or one has failed.
        ///
        /// # Errors
        ///
        /// When a child could not be started; those before it have been stopped again.
        pub fn start(
            args: ShopArgs,
        ) -> ::core::result::Result<ShopRef, ::phalanx::__private::SpawnError> {
            ::phalanx::__private::start::<Self>(args)
        }
        /// As `start`, for children that know each other: the refs exist before any child runs, and messages
        /// sent to them wait.
        ///
        /// # Errors
        ///
        /// When a child could not be started; those before it have been stopped again.
        pub fn start_with(
            args: impl ::core::ops::FnOnce(&ShopRef) -> ShopArgs,
        ) -> ::core::result::Result<ShopRef, ::phalanx::__private::SpawnError> {
            ::phalanx::__private::start_with::<Self>(args)
        }
        /// Like `start`, as a future, which blocks no thread of an executor. If the future is dropped, what
        /// it has started is stopped.
        pub fn start_async(args: ShopArgs) -> ::phalanx::__private::Spawning<ShopRef> {
            ::phalanx::__private::start_async::<Self>(args)
        }
        /// Sets the supervisor up; the builder's `start` starts it, or it becomes the child of another.
        pub fn builder(
            args: ShopArgs,
        ) -> ::phalanx::__private::SupervisorBuilder<ShopRef> {
            ::phalanx::__private::declared::<Self>(args)
        }
    }
    const __db: ::phalanx::__private::Options = <Db as ::phalanx::__private::Supervised>::OPTIONS;
    const _: () = ::phalanx::__private::check_significant(
        &__db,
        "child `db` is permanent, so it cannot be significant: it never ends by itself",
        ::core::option::Option::None,
    );
    const __mailer: ::phalanx::__private::Options = ::phalanx::__private::Options {
        restart: ::core::option::Option::Some(::phalanx::__private::Restart::Transient),
        shutdown: ::core::option::Option::Some(
            ::phalanx::__private::Shutdown::Timeout(
                ::core::time::Duration::from_secs(2u64),
            ),
        ),
        significant: true,
        recycle: ::core::option::Option::Some(::phalanx::__private::Recycle {
            messages: ::core::option::Option::Some(1000u64),
            ..::phalanx::__private::Recycle::from(
                <Mailer as ::phalanx::__private::Supervised>::OPTIONS.recycle,
            )
        }),
        ..<Mailer as ::phalanx::__private::Supervised>::OPTIONS
    };
    const _: () = ::phalanx::__private::check_is_actor(
        <Mailer as ::phalanx::__private::Supervised>::IS_SUPERVISOR,
        "`recycle_after` is an option of actors, and child `mailer` is a supervisor: remove it",
    );
    const _: () = ::phalanx::__private::check_significant(
        &__mailer,
        "child `mailer` is permanent, so it cannot be significant: it never ends by itself",
        ::core::option::Option::None,
    );
    #[cfg(feature = "billing")]
    const __billing: ::phalanx::__private::Options = <Billing as ::phalanx::__private::Supervised>::OPTIONS;
    #[cfg(feature = "billing")]
    const _: () = ::phalanx::__private::check_is_actor(
        <Billing as ::phalanx::__private::Supervised>::IS_SUPERVISOR,
        "`builder` is an option of actors, and child `billing` is a supervisor: remove it",
    );
    #[cfg(feature = "billing")]
    const _: () = ::phalanx::__private::check_significant(
        &__billing,
        "child `billing` is permanent, so it cannot be significant: it never ends by itself",
        ::core::option::Option::None,
    );
    #[automatically_derived]
    impl ::phalanx::__private::Supervised for Shop
    where
        for<'__p> Db: ::phalanx::__private::Supervised,
        for<'__p> Mailer: ::phalanx::__private::Supervised,
    {
        type Args = ShopArgs;
        type Ref = ShopRef;
        const OPTIONS: ::phalanx::__private::Options = ::phalanx::__private::Options {
            name: ::core::option::Option::Some("shop"),
            restart: ::core::option::Option::Some(
                ::phalanx::__private::Restart::Transient,
            ),
            ..::phalanx::__private::Options::DEFAULT
        };
        const IS_SUPERVISOR: bool = true;
        fn frame() -> ::phalanx::__private::Frame {
            let mut frame = ::phalanx::__private::Frame::supervisor(
                "Shop",
                Self::OPTIONS,
                ::phalanx::__private::Supervisor::rest_for_one()
                    .intensity(5u32, ::core::time::Duration::from_secs(10u64))
                    .backoff(
                        ::core::time::Duration::new(0u64, 100000000u32),
                        ::core::time::Duration::from_secs(30u64),
                    )
                    .auto_shutdown(::phalanx::__private::AutoShutdown::AnySignificant)
                    .max_children(10u32),
            );
            frame.child::<Db>("db", __db);
            frame.child::<Mailer>("mailer", __mailer);
            #[cfg(feature = "billing")] frame.child::<Billing>("billing", __billing);
            frame
        }
        fn filled(args: Self::Args) -> ::phalanx::__private::ChildSpec {
            Self::frame()
                .fill(
                    ::std::vec::Vec::from([
                        <Db as ::phalanx::__private::Supervised>::filled(args.db),
                        <Mailer as ::phalanx::__private::Supervised>::filled(
                            args.mailer,
                        ),
                        #[cfg(feature = "billing")]
                        ::phalanx::__private::built(args.billing),
                    ]),
                )
        }
    }
    #[automatically_derived]
    impl ::core::clone::Clone for ShopRef
    where
        for<'__p> Db: ::phalanx::__private::Supervised,
        for<'__p> Mailer: ::phalanx::__private::Supervised,
    {
        fn clone(&self) -> Self {
            ShopRef {
                db: ::core::clone::Clone::clone(&self.db),
                mailer: ::core::clone::Clone::clone(&self.mailer),
                #[cfg(feature = "billing")]
                billing: ::core::clone::Clone::clone(&self.billing),
                __supervisor: ::core::clone::Clone::clone(&self.__supervisor),
            }
        }
    }
    #[automatically_derived]
    impl ::phalanx::__private::Reachable for ShopRef
    where
        for<'__p> Db: ::phalanx::__private::Supervised,
        for<'__p> Mailer: ::phalanx::__private::Supervised,
    {
        fn at(found: ::phalanx::__private::Found) -> Self {
            let (__supervisor, mut below) = found.open();
            ShopRef {
                __supervisor,
                db: below.next(),
                mailer: below.next(),
                #[cfg(feature = "billing")]
                billing: below.next(),
            }
        }
    }
    #[automatically_derived]
    impl ::core::ops::Deref for ShopRef {
        type Target = ::phalanx::__private::SupervisorRef;
        fn deref(&self) -> &Self::Target {
            &self.__supervisor
        }
    }
    #[automatically_derived]
    impl ::core::fmt::Debug for ShopRef
    where
        for<'__p> Db: ::phalanx::__private::Supervised,
        for<'__p> Mailer: ::phalanx::__private::Supervised,
    {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            let mut fields = f.debug_struct("ShopRef");
            fields.field("supervisor", &self.__supervisor);
            fields.field("db", &self.db);
            fields.field("mailer", &self.mailer);
            #[cfg(feature = "billing")] fields.field("billing", &self.billing);
            fields.finish()
        }
    }
};
