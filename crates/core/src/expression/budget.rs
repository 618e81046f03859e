//! How much an expression may take of the machine.

use super::value::Fault;

/// What Go's engine allows an expression to hold, counted as it counts: elements of lists and maps, bytes of `repeat`.
const ELEMENTS: usize = 1_000_000;
/// Nodes looked at, elements compared, and bytes of text in units of [`BYTES_A_STEP`].
const STEPS: usize = 1_000_000;
/// Bytes of text made.
const BYTES: usize = 8 << 20;
const BYTES_A_STEP: usize = 64;

/// What is left. Steps and bytes are for everything that is evaluated in one call, elements for one expression.
#[derive(Debug)]
pub(super) struct Budget {
    elements: usize,
    steps: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { elements: 0, steps: 0, bytes: 0 }
    }

    /// Another expression of the same template or document.
    pub(super) fn next(&mut self) {
        self.elements = 0;
    }

    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Fault> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > STEPS {
            return Err(format!("takes more than {STEPS} steps; compute with less"));
        }
        Ok(())
    }

    pub(super) fn read(&mut self, bytes: usize) -> Result<(), Fault> {
        self.spend(bytes / BYTES_A_STEP)
    }

    pub(super) fn hold(&mut self, elements: usize) -> Result<(), Fault> {
        self.spend(elements)?;
        self.elements = self.elements.saturating_add(elements);
        if self.elements >= ELEMENTS {
            return Err(format!("holds {ELEMENTS} elements or more; compute with less"));
        }
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: usize) -> Result<(), Fault> {
        self.read(bytes)?;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES {
            return Err(format!("makes more than {BYTES} bytes of text; compute with less"));
        }
        Ok(())
    }
}
