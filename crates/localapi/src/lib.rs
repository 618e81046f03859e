//! A Kubernetes API server in memory, for the demo and the tests, never for production.

pub mod discovery;
pub mod openapi;
pub mod resource;
pub mod schema;
pub mod table;
