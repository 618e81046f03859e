//! The sign and the colour of a state.

use anstyle::{AnsiColor, Style};
use wharfinger_core::check::State;

use super::Look;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Passed,
    Waiting,
    Warning,
    Failed,
}

impl Mark {
    /// One column wide in UTF-8.
    pub fn sign(self, look: Look) -> &'static str {
        match (self, look.unicode) {
            (Self::Passed, true) => "✓",
            (Self::Waiting, true) => "◷",
            (Self::Warning, _) => "!",
            (Self::Failed, true) => "✗",
            (Self::Passed, false) => "+",
            (Self::Waiting, false) => "~",
            (Self::Failed, false) => "x",
        }
    }

    pub fn style(self) -> Style {
        let color = match self {
            Self::Passed => AnsiColor::Green,
            Self::Waiting | Self::Warning => AnsiColor::Yellow,
            Self::Failed => AnsiColor::Red,
        };
        color.on_default()
    }

    /// The sign in its colour, where colours are shown.
    pub fn painted(self, look: Look) -> String {
        look.paint(self.sign(look), self.style())
    }
}

impl Mark {
    /// Of a phase of a Promotion or a verification, of a health or of a condition's status.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "Succeeded" | "Successful" | "Healthy" | "True" => Self::Passed,
            "Failed" | "Errored" | "Error" | "Unhealthy" | "False" => Self::Failed,
            "Running" | "Progressing" | "Pending" => Self::Waiting,
            "Aborted" | "Inconclusive" => Self::Warning,
            _ => return None,
        })
    }
}

impl From<State> for Mark {
    fn from(state: State) -> Self {
        match state {
            State::Passed => Self::Passed,
            State::Waiting => Self::Waiting,
            State::Warning => Self::Warning,
            State::Failed => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_plain_where_nothing_else_can_be_shown() {
        let plain = Look::default();
        let rich = Look { color: true, unicode: true, terminal: true };
        for mark in [Mark::Passed, Mark::Waiting, Mark::Warning, Mark::Failed] {
            assert!(mark.painted(plain).is_ascii() && mark.painted(plain).len() == 1);
            assert!(mark.painted(rich).starts_with("\u{1b}["));
            assert_eq!(mark.sign(rich).chars().count(), 1);
        }
    }
}
