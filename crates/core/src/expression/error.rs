//! What is wrong with an expression, and where.

use std::fmt;

/// What is wrong, and where. It repeats the expression, which is no secret, and no value, which may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    text: String,
    /// In the expression, from 1.
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

impl Error {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), place: None }
    }

    /// `at` counts the characters before the place.
    pub(super) fn at(text: impl Into<String>, source: &str, at: usize) -> Self {
        let (mut line, mut column) = (1, 1);
        for char in source.chars().take(at) {
            if char == '\n' {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        Self { text: text.into(), place: Some(Place { line, column }) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.place {
            None => Ok(()),
            Some(Place { line: 1, column }) => write!(f, ", at column {column}"),
            Some(Place { line, column }) => write!(f, ", at line {line}, column {column}"),
        }
    }
}

impl std::error::Error for Error {}
