//! The controller: carries out Promotions, and holds every Application to what its Stage holds.
//!
//! It looks, asks `wharfinger-core`, and does. A Promotion is one write of its Stage's status ([`stage`]); bringing
//! the Applications there is a matter of its own ([`application`]), which goes on for ever and knows nothing about steps. They
//! meet in the objects.
//!
//! It never writes a Secret, a workload, or anything of Argo CD's but Applications that name a Stage and our plugin.

mod application;
mod apply;
mod args;
mod clock;
mod event;
pub mod fault;
mod passage;
mod queue;
mod recover;
mod residence;
mod run;
mod stage;
mod store;
mod watch;
mod world;

pub use args::Args;
pub use run::run;
