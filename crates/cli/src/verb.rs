//! What `wharf` does, one file a verb.

mod approve;
mod completion;
mod get;
mod history;
mod promote;
mod rollback;
mod status;
mod watch;
mod why;

pub use approve::Approve;
pub use completion::Completion;
pub use get::Get;
pub use history::History;
pub use promote::Promote;
pub use rollback::Rollback;
pub use status::Status;
pub use watch::Watch;
pub use why::Why;
