//! The guides: what the reference of the items does not say at one place. They are the pages of the folder
//! `docs`, which this crate's package has, too.
//!
//! Start with [`tour`], which goes on from the program of the [front page](crate). Then take what you need:
//! [`supervision`], [`pools`], [`queues`], [`shared_state`], [`remote`], [`async_code`], [`servers`]; or begin
//! with a whole program, of which [`examples`] has three. All options are in [`options`]; what is promised,
//! and what is not, in [`guarantees`] and [`limitations`].
//!
//! # In the repository
//!
//! Some pages are for those who change phalanx, and are in its repository only: `README.md`,
//! `CONTRIBUTING.md`, `SECURITY.md`, `CHANGELOG.md`, and of the folder `docs` the pages `ARCHITECTURE.md`,
//! `internals.md` and `decisions/`. The links to these pages lead here.

// The links of a page are references (`[pools][pools.md]`), which the page defines at its end as the files of
// the folder that they are. Of two definitions the first one counts: `links.md` stands before each page, and
// makes modules of them. A program of a page is a doctest here, once, and nowhere else. That of the tour is
// put together and run by a test of the workspace.

#[cfg(not(doctest))]
#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/tour.md")]
pub mod tour {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/supervision.md")]
pub mod supervision {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/options.md")]
pub mod options {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/pools.md")]
pub mod pools {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/queues.md")]
pub mod queues {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/shared-state.md")]
pub mod shared_state {}

#[cfg(any(not(doctest), feature = "remote"))]
#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/remote.md")]
pub mod remote {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/servers.md")]
pub mod servers {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/async.md")]
pub mod async_code {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/examples.md")]
pub mod examples {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/limitations.md")]
pub mod limitations {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/environments.md")]
pub mod environments {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/benchmarks.md")]
pub mod benchmarks {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/from-python.md")]
pub mod from_python {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}
