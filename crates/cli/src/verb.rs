//! What `wharf` does, one file a verb.

mod adopt;
mod completion;
mod diff;
mod release;
mod render;

pub use adopt::Adopt;
pub use completion::Completion;
pub use diff::Diff;
pub(crate) use diff::changed_objects;
pub use release::Release;
pub use render::Render;
