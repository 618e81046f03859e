//! What `wharf` does, one file a verb.

mod completion;
mod diff;
mod render;

pub use completion::Completion;
pub use diff::Diff;
pub use render::Render;
