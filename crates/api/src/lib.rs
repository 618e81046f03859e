//! `kargo.akuity.io/v1alpha1` as Rust types, and the few fields of Argo CD's Application that Wharfinger touches.
//!
//! Shapes only: no client, no async, no defaults computed in code, no method that needs another object.
//! What Wharfinger adds to Kargo's API is listed in [`additions`], and nowhere else.

pub mod additions;
pub mod argocd;
pub mod v1alpha1;
