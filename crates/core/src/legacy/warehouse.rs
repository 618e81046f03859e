//! Fields of a Warehouse's subscriptions that have other names now.

use serde_json::Value;

use super::line;

/// Gives the fields their names of today. What to tell the writer about each.
pub fn warehouse(object: &mut Value) -> Vec<String> {
    let mut warnings = vec![];
    let subscriptions = object.pointer_mut("/spec/subscriptions").and_then(Value::as_array_mut);
    for (index, subscription) in subscriptions.into_iter().flatten().enumerate() {
        let Some(image) = subscription.get_mut("image").and_then(Value::as_object_mut) else {
            continue;
        };
        for (old, new) in RENAMED {
            let Some(value) = image.shift_remove(old) else { continue };
            let field = format!("spec.subscriptions[{index}].image.{old}");
            warnings.push(match image.get(new) {
                Some(given) => format!(
                    "{field} has another name now, and was left out because {new} is given as well. Keep only: {}",
                    line(new, given)
                ),
                None => {
                    let warning = format!(
                        "{field} has another name now; it was converted. Write instead: {}",
                        line(new, &value)
                    );
                    image.insert(new.into(), value);
                    warning
                }
            });
        }
    }
    warnings
}

const RENAMED: [(&str, &str); 2] =
    [("tagSelectionStrategy", "imageSelectionStrategy"), ("semverConstraint", "constraint")];
