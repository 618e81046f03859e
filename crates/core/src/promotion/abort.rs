//! Asking a Promotion to end.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is asked for in the annotation `kargo.akuity.io/abort`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Abort {
    action: Action,
    /// Who asks. The webhook puts it in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// Wharfinger's controller asks, for itself or for the actor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub control_plane: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Action {
    #[default]
    Terminate,
}

impl Abort {
    /// Reads the action alone, or an object with the action in it. Nothing where neither is there.
    pub fn read(text: &str) -> Option<Self> {
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()));
        match value {
            Value::String(action) => {
                let action = Action::deserialize(Value::String(action)).ok()?;
                Some(Self { action, ..Self::default() })
            }
            object => serde_json::from_value(object).ok(),
        }
    }

    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_understood() {
        let by = |actor: &str, control_plane| {
            Some(Abort { actor: actor.into(), control_plane, ..Abort::default() })
        };
        for (text, expected) in [
            ("terminate", by("", false)),
            ("\"terminate\"", by("", false)),
            (r#"{"action":"terminate"}"#, by("", false)),
            (
                r#"{"action":"terminate","actor":"email:a","controlPlane":true}"#,
                by("email:a", true),
            ),
            (r#"{"action":"terminate","reason":"x"}"#, by("", false)),
            ("true", None),
            ("", None),
            ("Terminate", None),
            ("[]", None),
            (r#"{"action":"pause"}"#, None),
            (r#"{"actor":"email:a"}"#, None),
        ] {
            let read = Abort::read(text);
            assert_eq!(read, expected, "{text}");
            if let Some(read) = read {
                assert_eq!(Abort::read(&read.write()), Some(read));
            }
        }
    }
}
