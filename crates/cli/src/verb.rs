//! What `wharf` does, one file a verb.

mod adopt;
mod approve;
mod completion;
mod diff;
mod doctor;
mod get;
mod history;
mod promote;
mod release;
mod render;
mod rollback;
mod status;
mod watch;
mod why;

pub use adopt::Adopt;
pub use approve::Approve;
pub use completion::Completion;
pub use diff::Diff;
pub(crate) use diff::changed_objects;
pub use doctor::Doctor;
pub use get::Get;
pub use history::History;
pub use promote::Promote;
pub use release::Release;
pub use render::Render;
pub use rollback::Rollback;
pub use status::Status;
pub(crate) use status::{Detail, progress};
pub use watch::Watch;
pub use why::Why;
