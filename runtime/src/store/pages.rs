//! Reading a large object in pages.

use std::fmt;

use super::error::StoreError;

/// The pages of an object of a store, each requested when the previous one has been read; see
/// [`Map::pages`](crate::store::Map::pages).
///
/// An error is the last item.
pub struct Pages<T> {
    /// Fetches the next page; an empty one comes after the last.
    fetch: Box<dyn FnMut() -> Result<Vec<T>, StoreError> + Send>,
    done: bool,
}

/// How many items a page has by default.
pub(super) const PAGE: usize = 256;

impl<T> Pages<T> {
    pub(super) fn new(fetch: impl FnMut() -> Result<Vec<T>, StoreError> + Send + 'static) -> Pages<T> {
        Pages { fetch: Box::new(fetch), done: false }
    }

    /// Returns the items one by one.
    pub(super) fn items(self) -> impl Iterator<Item = Result<T, StoreError>> {
        self.flat_map(|page| match page {
            Ok(items) => items.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }
}

impl<T> Iterator for Pages<T> {
    type Item = Result<Vec<T>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let page = (self.fetch)();
        self.done = page.as_ref().map_or(true, Vec::is_empty);
        match page {
            Ok(page) if page.is_empty() => None,
            page => Some(page),
        }
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("done", &self.done).finish_non_exhaustive()
    }
}
