//! What `wharf` does, one file a verb.

mod completion;
mod promote;

pub use completion::Completion;
pub use promote::Promote;
