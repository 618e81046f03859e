use serde_json::{Map, json};

use super::*;

fn schema(spec: &Value) -> Schema {
    Schema::compile(&root(spec)).unwrap()
}

fn root(spec: &Value) -> Value {
    json!({ "type": "object", "properties": { "spec": spec, "status": spec } })
}

#[test]
fn problems_read_as_kube_apiservers() {
    const MIXED: &str = r#"{"type":"object","additionalProperties":{"type":"string"}}"#;
    const LISTS: &str = r#"{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["type"],
        "items":{"type":"object","required":["type"],"properties":{"type":{"type":"string"}}}}"#;
    for (spec, value, lines) in [
        (
            r#"{"type":"string"}"#,
            "1",
            &[r#"spec: Invalid value: "integer": spec in body must be of type string: "integer""#]
                [..],
        ),
        (
            r#"{"type":"string"}"#,
            "null",
            &[r#"spec: Invalid value: "null": spec in body must be of type string: "null""#],
        ),
        (r#"{"type":"string","nullable":true}"#, "null", &[]),
        (
            r#"{"type":"integer"}"#,
            "1.5",
            &[
                r#"spec: Invalid value: "number": spec in body must be of type integer: "number""#,
                r#"<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec"#,
            ],
        ),
        (r#"{"type":"integer"}"#, "1.0", &[]),
        (r#"{"type":"number"}"#, "1", &[]),
        (
            r#"{"type":"integer","format":"int32"}"#,
            "3000000000",
            &[
                r#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec"#,
            ],
        ),
        (
            r#"{"type":"string","enum":["a","b"]}"#,
            r#""c""#,
            &[r#"spec: Unsupported value: "c": supported values: "a", "b""#],
        ),
        (
            r#"{"type":"string","maxLength":2}"#,
            r#""abc""#,
            &["spec: Too long: may not be more than 2 bytes"],
        ),
        (
            r#"{"type":"string","minLength":1}"#,
            r#""""#,
            &[r#"spec: Invalid value: "": spec in body should be at least 1 chars long"#],
        ),
        (
            r#"{"type":"string","pattern":"^a$"}"#,
            r#""b""#,
            &[r#"spec: Invalid value: "b": spec in body should match '^a$'"#],
        ),
        (
            r#"{"type":"string","format":"date-time"}"#,
            r#""soon""#,
            &[r#"spec: Invalid value: "soon": spec in body must be of type date-time: "soon""#],
        ),
        (
            r#"{"type":"string","format":"date-time"}"#,
            "true",
            &[r#"spec: Invalid value: "": spec in body must be of type date-time: """#],
        ),
        (
            r#"{"type":"integer","minimum":0}"#,
            "-1",
            &["spec: Invalid value: -1: spec in body should be greater than or equal to 0"],
        ),
        (
            r#"{"type":"number","maximum":2.5,"exclusiveMaximum":true}"#,
            "2.5",
            &["spec: Invalid value: 2.5: spec in body should be less than 2.5"],
        ),
        (
            r#"{"type":"integer","multipleOf":2}"#,
            "3",
            &["spec: Invalid value: 3: spec in body should be a multiple of 2"],
        ),
        (
            r#"{"type":"array","minItems":1,"items":{"type":"string"}}"#,
            "[]",
            &["spec: Invalid value: 0: spec in body should have at least 1 items"],
        ),
        (
            r#"{"type":"array","maxItems":1,"items":{"type":"string"}}"#,
            r#"["a","b"]"#,
            &["spec: Too many: 2: must have at most 1 item"],
        ),
        (
            r#"{"type":"array","items":{"type":"string"}}"#,
            "[null]",
            &[r#"spec[0]: Invalid value: "null": spec[0] in body must be of type string: "null""#],
        ),
        (
            r#"{"type":"object","maxProperties":0,"additionalProperties":{"type":"string"}}"#,
            r#"{"a":"b"}"#,
            &["spec: Too many: 1: must have at most 0 items"],
        ),
        (
            MIXED,
            r#"{"a":1}"#,
            &[
                r#"spec.a: Invalid value: "integer": spec.a in body must be of type string: "integer""#,
            ],
        ),
        (
            r#"{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}"#,
            "{}",
            &["spec.a: Required value"],
        ),
        (
            r#"{"x-kubernetes-int-or-string":true}"#,
            "true",
            &[
                r#"spec: Invalid value: "boolean": spec in body must be of type integer,string: "boolean""#,
            ],
        ),
        (
            r#"{"x-kubernetes-int-or-string":true,"anyOf":[{"type":"integer"},{"type":"string"}]}"#,
            r#""1""#,
            &[],
        ),
        (
            r#"{"type":"string","anyOf":[{"minLength":2},{"enum":["x"]}]}"#,
            r#""y""#,
            &[
                r#"<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)"#,
                r#"spec: Invalid value: "y": spec in body should be at least 2 chars long"#,
            ],
        ),
        (r#"{"type":"string","anyOf":[{"minLength":2},{"enum":["x"]}]}"#, r#""x""#, &[]),
        (
            r#"{"type":"string","oneOf":[{"minLength":1},{"maxLength":3}]}"#,
            r#""ab""#,
            &[
                r#"<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives"#,
            ],
        ),
        (
            r#"{"type":"string","allOf":[{"minLength":3}]}"#,
            r#""ab""#,
            &[
                r#"spec: Invalid value: "ab": spec in body should be at least 3 chars long"#,
                r#"<nil>: Invalid value: "": "spec" must validate all the schemas (allOf). None validated"#,
            ],
        ),
        (
            r#"{"type":"string","not":{"enum":["a"]}}"#,
            r#""a""#,
            &[r#"<nil>: Invalid value: "": "spec" must not validate the schema (not)"#],
        ),
        (
            LISTS,
            r#"[{"type":"a"},{"type":"a"},{"type":"b"}]"#,
            &[r#"spec[1]: Duplicate value: {"type":"a"}"#],
        ),
        (
            r#"{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}}"#,
            r#"["a","b","a","a"]"#,
            &[r#"spec[2]: Duplicate value: "a""#],
        ),
        (
            r#"{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true}"#,
            r#"{"kind":""}"#,
            &[
                "spec.apiVersion: Required value",
                r#"spec.kind: Invalid value: "": must not be empty"#,
            ],
        ),
        (
            r#"{"type":"object","properties":{"uses":{"type":"string"},"task":{"type":"string"}},
                "x-kubernetes-validations":[{"rule":"has(self.uses) != has(self.task)","message":"one of them"}]}"#,
            "{}",
            &["spec: Invalid value: one of them"],
        ),
        (
            r#"{"type":"object","properties":{"uses":{"type":"string"}},"x-kubernetes-validations":[{"rule":"has(self.uses)"}]}"#,
            "{}",
            &["spec: Invalid value: failed rule: has(self.uses)"],
        ),
        (
            r#"{"type":"object","properties":{"uses":{"type":"string"}},"x-kubernetes-validations":[{"rule":"has(self.uses)"}]}"#,
            "[]",
            &[
                r#"spec: Invalid value: "array": spec in body must be of type object: "array""#,
                "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; \
                 correct the existing errors to complete validation",
            ],
        ),
    ] {
        let schema = schema(&serde_json::from_str(spec).unwrap());
        let value: Value = serde_json::from_str(value).unwrap();
        let problems = schema.validate(None, &json!({ "spec": value }));
        let found: Vec<_> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(found, lines, "{spec} on {value}");
    }
}

#[test]
fn a_write_of_the_status_is_checked_below_it() {
    let schema = schema(&json!({ "type": "object", "properties": { "a": { "type": "string" } } }));
    let problems = schema.validate_status(&json!({}), &json!({ "spec": 1, "status": { "a": 1 } }));
    assert_eq!(
        Problem::line(&problems),
        r#"status.a: Invalid value: "integer": a in body must be of type string: "integer""#,
    );
}

#[test]
fn what_has_not_changed_may_stay_wrong() {
    let map = json!({
        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
        "items": { "type": "object", "properties": { "k": { "type": "string" }, "v": { "type": "string" } } },
    });
    let atomic = json!({ "type": "array", "items": { "type": "string" } });
    let ruled = json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": { "uses": { "type": "string" }, "n": { "type": "integer" } },
            "x-kubernetes-validations": [{ "rule": "has(self.uses)", "message": "uses" }],
        },
    });
    for (spec, old, new, holds) in [
        (json!({ "type": "string" }), json!(1), json!(1), true),
        (json!({ "type": "string" }), json!(1), json!(2), false),
        (
            map.clone(),
            json!([{ "k": "a", "v": 1 }]),
            json!([{ "k": "b" }, { "k": "a", "v": 1 }]),
            true,
        ),
        (map, json!([{ "k": "a", "v": 1 }]), json!([{ "k": "b", "v": 1 }]), false),
        (atomic.clone(), json!([1]), json!([1]), true),
        (atomic, json!([1]), json!([1, "a"]), false),
        (ruled.clone(), json!([{ "n": 1 }]), json!([{ "n": 1 }]), true),
        (ruled, json!([{ "n": 1 }]), json!([{ "n": 1 }, { "uses": "x" }]), false),
    ] {
        let schema = schema(&spec);
        let problems = schema.validate(Some(&json!({ "spec": old })), &json!({ "spec": new }));
        assert_eq!(problems.is_empty(), holds, "{spec}: {old} to {new}: {problems:?}");
    }
}

#[test]
fn objects_take_the_shape_of_the_schema() {
    let spec = json!({
        "type": "object",
        "properties": {
            "a": { "type": "string", "default": "x" },
            "nullable": { "type": "string", "nullable": true, "default": "x" },
            "part": { "type": "object", "default": {}, "properties": { "b": { "type": "integer", "default": 1 } } },
            "absent": { "type": "object", "properties": { "b": { "type": "integer", "default": 1 } } },
            "plain": { "type": "string" },
            "each": { "type": "array", "items": { "type": "object", "properties": { "b": { "type": "integer", "default": 2 } } } },
            "map": { "type": "object", "additionalProperties": { "type": "object", "properties": { "b": { "type": "integer", "default": 3 } } } },
            "any": { "type": "object", "additionalProperties": true },
            "free": { "x-kubernetes-preserve-unknown-fields": true },
            "whole": { "type": "object", "x-kubernetes-embedded-resource": true, "properties": { "spec": { "type": "string" } } },
        },
    });
    let schema = schema(&spec);
    let mut object = json!({
        "apiVersion": "x/v1", "kind": "X", "metadata": { "unknown": 1, "nothing": null },
        "other": 1,
        "spec": {
            "a": null, "nullable": null, "plain": null,
            "more": { "x": 1 },
            "each": [{ "c": 1 }],
            "map": { "k": { "c": 1 }, "none": null },
            "any": { "k": { "c": 1 }, "n": 1 },
            "free": { "c": [{ "d": null }] },
            "whole": { "apiVersion": "v1", "kind": "Y", "metadata": { "m": 1 }, "spec": "s", "more": 1 },
        },
    });
    assert_eq!(
        schema.prune(&mut object),
        ["other", "spec.any.k.c", "spec.each[0].c", "spec.map.k.c", "spec.more", "spec.whole.more"],
    );
    schema.default(&mut object);
    assert_eq!(
        object,
        json!({
            "apiVersion": "x/v1", "kind": "X", "metadata": { "unknown": 1, "nothing": null },
            "spec": {
                "a": "x", "nullable": null, "part": { "b": 1 },
                "each": [{ "b": 2 }],
                "map": { "k": { "b": 3 } },
                "any": { "k": {}, "n": 1 },
                "free": { "c": [{ "d": null }] },
                "whole": { "apiVersion": "v1", "kind": "Y", "metadata": { "m": 1 }, "spec": "s" },
            },
        }),
    );
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    for (spec, line) in [
        (
            r#"{"type":"string","colour":"red"}"#,
            "properties[spec].colour: Forbidden: this keyword is not understood here",
        ),
        (r#"{"type":"thing"}"#, r#"properties[spec].type: Invalid value: "thing": must be a type"#),
        (
            r#"{"minLength":1}"#,
            "properties[spec].type: Required value: must not be empty for specified object fields",
        ),
        (r#"{"type":"array"}"#, "properties[spec].items: Required value: must be specified"),
        (
            r#"{"type":"array","uniqueItems":true,"items":{"type":"string"}}"#,
            "properties[spec].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ),
        (
            r#"{"type":"string","anyOf":[{"type":"string"}]}"#,
            "properties[spec].anyOf[0].type: Forbidden: must be undefined to be structural",
        ),
        (
            r#"{"type":"object","anyOf":[{"required":["a"],"properties":{"a":{"minLength":1}}}]}"#,
            "properties[spec].properties[a]: Required value: because it is defined in a nested schema",
        ),
        (
            r#"{"type":"string","format":"hostname"}"#,
            r#"properties[spec].format: Invalid value: "hostname": the local API server does not know this format"#,
        ),
        (
            r#"{"type":"string","default":1}"#,
            r#"properties[spec].default: Invalid value: "integer":  in body must be of type string: "integer""#,
        ),
        (
            r#"{"type":"object","x-kubernetes-validations":[{"rule":"self.a > 1"}]}"#,
            r#"properties[spec].x-kubernetes-validations[0].rule: Invalid value: "self.a > 1": the local API server does not evaluate CEL, and does not know this rule"#,
        ),
        (
            r#"{"type":"array","items":{"type":"object"},"x-kubernetes-list-type":"map"}"#,
            "properties[spec].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
        ),
        (
            r#"{"type":"object","additionalProperties":false}"#,
            "properties[spec].additionalProperties: Forbidden: additionalProperties cannot be set to false",
        ),
    ] {
        let spec: Value = serde_json::from_str(spec).unwrap();
        let source = json!({ "type": "object", "properties": { "spec": spec } });
        let problems = Schema::compile(&source).unwrap_err();
        assert_eq!(problems[0].to_string(), line, "{spec}");
    }
}

#[test]
fn no_schema_and_no_object_makes_it_panic() {
    let mut random = Random(1);
    let own = schema(&json!({
        "type": "object",
        "properties": {
            "type": { "type": "integer", "format": "int32", "minimum": 1, "multipleOf": 0.1 },
            "items": { "type": "array", "items": { "x-kubernetes-int-or-string": true } },
            "enum": { "type": "string", "format": "date-time", "oneOf": [{ "minLength": 3 }, { "pattern": "a" }] },
        },
        "x-kubernetes-validations": [{ "rule": "has(self.uses) != has(self.task)" }],
    }));
    for _ in 0..5_000 {
        let old = json!({ "spec": random.value(4) });
        let mut new = json!({ "spec": random.value(4), "status": random.value(4) });
        if let Ok(random_schema) = Schema::compile(&root(&random.value(4))) {
            random_schema.validate(Some(&old), &new);
        }
        own.prune(&mut new);
        own.default(&mut new);
        own.validate(Some(&old), &new);
        own.validate_status(&old, &new);
    }
}

/// Arbitrary JSON made of words that schemas know, the same on every run.
struct Random(u64);

impl Random {
    const WORDS: [&str; 24] = [
        "type",
        "object",
        "array",
        "string",
        "integer",
        "properties",
        "items",
        "enum",
        "default",
        "anyOf",
        "oneOf",
        "not",
        "nullable",
        "format",
        "int32",
        "date-time",
        "pattern",
        "minimum",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-type",
        "map",
        "additionalProperties",
        "(",
        "é",
    ];

    fn next(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn word(&mut self) -> &'static str {
        Self::WORDS[self.next(Self::WORDS.len() as u64) as usize]
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.next(if depth == 0 { 5 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.next(2) == 0),
            2 => json!(self.next(u64::MAX)),
            3 => json!(self.next(1000) as f64 / 7.0 - 50.0),
            4 => json!(self.word()),
            5 | 6 => {
                let count = self.next(4);
                (0..count).map(|_| self.value(depth - 1)).collect()
            }
            _ => {
                let count = self.next(5);
                let fields = (0..count).map(|_| (self.word().to_owned(), self.value(depth - 1)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }
}
