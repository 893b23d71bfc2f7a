//! What uploads said of their objects, for the stat at their end.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What is known of one object.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    /// The size in bytes that the upload told.
    pub size: u64,
    /// The SHA-1 that it told, if it did.
    pub sha: Option<String>,
    /// Whether it was finished.
    pub complete: bool,
}

/// All objects by their paths.
#[derive(Default)]
pub(super) struct Objects {
    by_path: Mutex<HashMap<String, Object>>,
}

impl Objects {
    /// An upload began, or was done in one request; what was there before is forgotten.
    pub fn put(&self, path: &str, object: Object) {
        self.with(|objects| objects.insert(path.to_owned(), object));
    }

    /// The upload is complete; false where none was begun.
    pub fn complete(&self, path: &str) -> bool {
        self.with(|objects| objects.get_mut(path).map(|object| object.complete = true))
            .is_some()
    }

    pub fn get(&self, path: &str) -> Option<Object> {
        self.with(|objects| objects.get(path).cloned())
    }

    pub fn remove(&self, path: &str) -> bool {
        self.with(|objects| objects.remove(path)).is_some()
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Object>) -> T) -> T {
        act(&mut self.by_path.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
