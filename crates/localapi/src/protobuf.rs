//! Bodies in protobuf: kubectl sends them for the built-in kinds that it knows as types, and takes JSON in return.
//!
//! Of the messages there is what `kubectl create` and `kubectl auth` send. Fields that are not named here are server-set
//! or unknown, and passed over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// The object as JSON, or why it can't be read.
pub(crate) fn decode(body: &[u8]) -> Result<Value, String> {
    let envelope = body.strip_prefix(MAGIC).ok_or("it does not begin as protobuf of Kubernetes")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), Vec::new());
    for field in Wire(envelope) {
        match field? {
            (1, Wired::Bytes(type_meta)) => {
                for field in Wire(type_meta) {
                    match field? {
                        (1, Wired::Bytes(text)) => api_version = utf8(text)?,
                        (2, Wired::Bytes(text)) => kind = utf8(text)?,
                        _ => {}
                    }
                }
            }
            (2, Wired::Bytes(bytes)) => raw = bytes.to_vec(),
            _ => {}
        }
    }
    let fields =
        kind_fields(&kind).ok_or_else(|| format!("{kind} is only read as JSON or YAML"))?;
    let mut object = message(&raw, fields)?;
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    Ok(object)
}

type Fields = &'static [(u64, &'static str, Type)];

#[derive(Clone, Copy)]
enum Type {
    Text,
    Number,
    Flag,
    Time,
    /// Many of them.
    Texts,
    TextMap,
    BytesMap,
    /// In an envelope of their own, as the values of `extra`.
    TextsMap,
    Message(Fields),
    Messages(Fields),
}

use Type::{BytesMap, Flag, Message, Messages, Number, Text, TextMap, Texts, TextsMap, Time};

const METADATA: Fields = &[
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (5, "uid", Text),
    (6, "resourceVersion", Text),
    (7, "generation", Number),
    (8, "creationTimestamp", Time),
    (9, "deletionTimestamp", Time),
    (10, "deletionGracePeriodSeconds", Number),
    (11, "labels", TextMap),
    (12, "annotations", TextMap),
    (13, "ownerReferences", Messages(OWNER)),
    (14, "finalizers", Texts),
];
const OWNER: Fields = &[
    (1, "kind", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "controller", Flag),
    (7, "blockOwnerDeletion", Flag),
];
const REFERENCE: Fields = &[
    (1, "kind", Text),
    (2, "namespace", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "resourceVersion", Text),
    (7, "fieldPath", Text),
];
const RULE: Fields = &[
    (1, "verbs", Texts),
    (2, "apiGroups", Texts),
    (3, "resources", Texts),
    (4, "resourceNames", Texts),
    (5, "nonResourceURLs", Texts),
];
const SUBJECT: Fields =
    &[(1, "kind", Text), (2, "apiGroup", Text), (3, "name", Text), (4, "namespace", Text)];
const SELECTOR: Fields =
    &[(1, "matchLabels", TextMap), (2, "matchExpressions", Messages(EXPRESSION))];
const EXPRESSION: Fields = &[(1, "key", Text), (2, "operator", Text), (3, "values", Texts)];
const RESOURCE_ATTRIBUTES: Fields = &[
    (1, "namespace", Text),
    (2, "verb", Text),
    (3, "group", Text),
    (4, "version", Text),
    (5, "resource", Text),
    (6, "subresource", Text),
    (7, "name", Text),
];
const ACCESS: Fields = &[
    (1, "resourceAttributes", Message(RESOURCE_ATTRIBUTES)),
    (2, "nonResourceAttributes", Message(&[(1, "path", Text), (2, "verb", Text)])),
    (3, "user", Text),
    (4, "groups", Texts),
    (5, "extra", TextsMap),
    (6, "uid", Text),
];

fn kind_fields(kind: &str) -> Option<Fields> {
    Some(match kind {
        "Namespace" => &[(1, "metadata", Message(METADATA))],
        "Secret" => &[
            (1, "metadata", Message(METADATA)),
            (2, "data", BytesMap),
            (3, "type", Text),
            (4, "stringData", TextMap),
            (5, "immutable", Flag),
        ],
        "ConfigMap" => &[
            (1, "metadata", Message(METADATA)),
            (2, "data", TextMap),
            (3, "binaryData", BytesMap),
            (4, "immutable", Flag),
        ],
        "ServiceAccount" => &[
            (1, "metadata", Message(METADATA)),
            (2, "secrets", Messages(REFERENCE)),
            (3, "imagePullSecrets", Messages(&[(1, "name", Text)])),
            (4, "automountServiceAccountToken", Flag),
        ],
        "Role" => &[(1, "metadata", Message(METADATA)), (2, "rules", Messages(RULE))],
        "ClusterRole" => &[
            (1, "metadata", Message(METADATA)),
            (2, "rules", Messages(RULE)),
            (3, "aggregationRule", Message(&[(1, "clusterRoleSelectors", Messages(SELECTOR))])),
        ],
        "RoleBinding" | "ClusterRoleBinding" => &[
            (1, "metadata", Message(METADATA)),
            (2, "subjects", Messages(SUBJECT)),
            (3, "roleRef", Message(&[(1, "apiGroup", Text), (2, "kind", Text), (3, "name", Text)])),
        ],
        "SelfSubjectReview" => &[(1, "metadata", Message(METADATA))],
        "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            &[(1, "metadata", Message(METADATA)), (2, "spec", Message(ACCESS))]
        }
        "SelfSubjectRulesReview" => {
            &[(1, "metadata", Message(METADATA)), (2, "spec", Message(&[(1, "namespace", Text)]))]
        }
        "TokenReview" => &[
            (1, "metadata", Message(METADATA)),
            (2, "spec", Message(&[(1, "token", Text), (2, "audiences", Texts)])),
        ],
        "TokenRequest" => &[
            (1, "metadata", Message(METADATA)),
            (2, "spec", Message(&[(1, "audiences", Texts), (4, "expirationSeconds", Number)])),
        ],
        "DeleteOptions" => &[
            (1, "gracePeriodSeconds", Number),
            (2, "preconditions", Message(&[(1, "uid", Text), (2, "resourceVersion", Text)])),
            (4, "propagationPolicy", Text),
            (5, "dryRun", Texts),
        ],
        _ => return None,
    })
}

fn message(bytes: &[u8], fields: Fields) -> Result<Value, String> {
    let mut object = Map::new();
    for field in Wire(bytes) {
        let (number, wired) = field?;
        let Some((_, name, kind)) = fields.iter().find(|(known, ..)| *known == number) else {
            continue;
        };
        let bytes = match wired {
            Wired::Bytes(bytes) => bytes,
            Wired::Number(number) => {
                let value = match kind {
                    Flag => (number != 0).into(),
                    // Negative numbers are sent as their two's complement.
                    Number => number.cast_signed().into(),
                    _ => return Err(format!("{name} is not a number")),
                };
                object.insert((*name).into(), value);
                continue;
            }
        };
        let slot = object.entry(*name);
        match kind {
            // An empty text is an absent one.
            Text if bytes.is_empty() => {}
            Text => *slot.or_insert(Value::Null) = utf8(bytes)?.into(),
            Time => {
                if let Some(time) = time(bytes)? {
                    *slot.or_insert(Value::Null) = time.into();
                }
            }
            Message(fields) => *slot.or_insert(Value::Null) = message(bytes, fields)?,
            Texts => push(slot.or_insert(json!([])), utf8(bytes)?.into()),
            Messages(fields) => push(slot.or_insert(json!([])), message(bytes, fields)?),
            TextMap | BytesMap | TextsMap => {
                let (key, value) = entry(bytes)?;
                slot.or_insert(json!({}))[key] = match kind {
                    TextMap => utf8(value)?.into(),
                    BytesMap => BASE64.encode(value).into(),
                    _ => message(value, &[(1, "items", Texts)])?["items"].take(),
                };
            }
            Number | Flag => return Err(format!("{name} must be a number")),
        }
    }
    Ok(object.into())
}

fn push(list: &mut Value, item: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}

fn entry(bytes: &[u8]) -> Result<(String, &[u8]), String> {
    let (mut key, mut value): (String, &[u8]) = (String::new(), &[]);
    for field in Wire(bytes) {
        match field? {
            (1, Wired::Bytes(bytes)) => key = utf8(bytes)?,
            (2, Wired::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Nothing for the zero time, which is sent for an absent one.
fn time(bytes: &[u8]) -> Result<Option<String>, String> {
    for field in Wire(bytes) {
        if let (1, Wired::Number(seconds)) = field? {
            let time = Timestamp::from_second(seconds.cast_signed());
            let time = time.map_err(|_| "a time is out of range")?;
            return Ok(Some(time.to_string()));
        }
    }
    Ok(None)
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8".into())
}

/// The fields of a message, as they lie on the wire.
struct Wire<'a>(&'a [u8]);

enum Wired<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Iterator for Wire<'a> {
    type Item = Result<(u64, Wired<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "it is cut off or damaged".into()))
    }
}

impl<'a> Wire<'a> {
    fn field(&mut self) -> Option<(u64, Wired<'a>)> {
        let tag = self.varint()?;
        let wired = match tag & 7 {
            0 => Wired::Number(self.varint()?),
            1 => Wired::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wired::Bytes(self.take(length)?)
            }
            5 => Wired::Bytes(self.take(4)?),
            _ => return None,
        };
        Some((tag >> 3, wired))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        field.extend(bytes);
        field
    }

    fn body(kind: &str, raw: &[u8]) -> Vec<u8> {
        let type_meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &type_meta), field(2, raw)].concat()
    }

    #[test]
    fn a_secret_is_read() {
        let label = [field(1, b"tier"), field(2, b"web")].concat();
        let metadata = [field(1, b"a"), field(2, b""), field(8, b""), field(11, &label)].concat();
        let data = [field(1, b"key"), field(2, b"\x00\x01")].concat();
        let raw = [field(1, &metadata), field(2, &data), field(3, b"Opaque"), vec![5 << 3, 1]];
        assert_eq!(
            decode(&body("Secret", &raw.concat())).unwrap(),
            json!({
                "metadata": {"name": "a", "labels": {"tier": "web"}}, "data": {"key": "AAE="},
                "type": "Opaque", "immutable": true, "apiVersion": "v1", "kind": "Secret",
            })
        );
    }

    #[test]
    fn nothing_that_is_cut_off_is_read_and_nothing_panics() {
        let whole = body("Secret", &field(1, &field(1, b"name")));
        assert!(decode(&whole).is_ok());
        for length in 0..whole.len() {
            // Cut between two fields of the envelope it can be read: a Secret without content.
            let read = decode(&whole[..length]);
            assert!(read.is_err() || length == whole.len() - 10, "{length}");
        }
        assert!(decode(&whole[..whole.len() - 1]).is_err());
        assert!(decode(&[&whole[..], &[0x0f]].concat()).is_err());
        assert!(decode(b"{}").is_err());
        assert!(decode(&body("Deployment", &[])).unwrap_err().contains("JSON or YAML"));
    }
}
