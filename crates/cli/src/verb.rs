//! What `wharf` does, one file a verb.

mod completion;

pub use completion::Completion;
