//! A Kubernetes API server in memory, for the demo and the tests, never for production.

mod age;
mod built_in;
pub mod discovery;
mod jsonpath;
pub mod openapi;
pub mod resource;
pub mod schema;
pub mod table;
