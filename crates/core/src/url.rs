//! Repository URLs in the one form in which two of them can be compared.
//!
//! A Freight's name is a hash over these forms, and existing Freight must keep its name: so they are
//! Kargo's to the byte, including what looks accidental. Nothing here fails. Text that is not
//! understood comes back, for Git and images exactly as it was given.
//!
//! Kargo is written in Go, and Go's reading of a URL is not the WHATWG's: that is why `reference`,
//! `percent` and `printable` are here and no crate is.

mod chart;
mod git;
mod image;
mod percent;
mod printable;
mod reference;
mod sanitise;
mod shown;

pub use chart::{chart_key, normalise_chart};
pub use git::normalise_git;
pub use image::{is_image, normalise_image};
pub(crate) use printable::is_printable;
pub use sanitise::sanitise;
pub use shown::shown;

#[cfg(test)]
mod tests;
