//! What a person or a script sees.
//!
//! Whatever comes from the cluster was written by somebody: no control character and no escape sequence of theirs reaches
//! the terminal. [`clean`] is at the one place where text enters a line or a table; [`json`] and [`yaml`] escape.

use clap::ValueEnum;

mod console;
mod data;
mod mark;
mod table;
mod text;

pub use console::{Console, Look};
pub use data::{Schema, documents, json, objects, yaml};
pub use mark::Mark;
pub use table::{Cell, Table};
pub use text::{age, moment, span};
pub use wharfinger_core::terminal::clean;

/// Of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For people with wide screens
    Wide,
    /// Kubernetes objects as they are, else a document with `"schema": "wharf/v1"`
    Json,
    /// The same as YAML
    Yaml,
    /// One JSON document a line
    Jsonl,
    /// `<resource>/<name>`, one a line
    Name,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    Always,
    Never,
}
