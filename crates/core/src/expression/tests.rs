//! What the vectors don't ask: the bounds, what is said about a mistake, and the functions over Freight.

use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new(Functions::default().with_utilities(), NOW);
    let vars = json!({ "n": 3, "s": "hello", "secret": "hunter2", "list": [3, 1, 2] });
    environment.insert("vars", &vars).unwrap();
    environment
}

fn evaluated(text: &str) -> Result<Json, Error> {
    let environment = environment();
    compile(text, &environment.functions)?.evaluate(&environment)
}

#[track_caller]
fn refused(text: &str) -> String {
    evaluated(text).unwrap_err().to_string()
}

#[test]
fn a_mistake_is_named_with_its_place() {
    for (text, expected) in [
        ("", "no expression: it ends too early, at column 1"),
        ("1 +", "no expression: it ends too early, at column 4"),
        ("1 1", "no expression: 1 can't stand here, at column 3"),
        ("'a", "no expression: the text is not closed, at column 1"),
        ("a\n  /* b", "no expression: the comment is not closed, at line 2, column 3"),
        (
            "'\\d'",
            "no expression: no escape begins like this; write a backslash twice, at column 3",
        ),
        (
            "a ?? b + c",
            "no expression: + can't be mixed with ??; put brackets around either, at column 8",
        ),
        ("filter(a)", "no expression: filter takes at least 2 arguments, at column 9"),
        ("{1 2}", "no expression: : is missing; 2 can't stand here, at column 4"),
        (
            "a matches '['",
            "no expression: no regular expression: unclosed character class, at column 3",
        ),
        ("1 == '1'", "== does not take an integer and text, at column 3"),
        ("true ? 1 : len(5)", "len takes text, a list or a map, and gets an integer, at column 12"),
        ("upper()", "upper takes 1 argument, and gets 0, at column 1"),
        ("semverDiff('1', 2)", "semverDiff takes text here, and gets an integer, at column 17"),
        ("#", "no expression: # can't stand here, at column 1"),
        ("map([1], #acc)", "#acc means nothing here, at column 10"),
        ("let len = 1; len", "len is a function; choose another name, at column 5"),
        ("nothing()", "there is no function nothing here, at column 1"),
        ("vars.none.x", "nil has no such member, at column 11"),
        ("vars.list[3]", "there is no place 3 in 3, at column 10"),
        ("vars.s ? 1 : 2", "a condition is neither true nor false, at column 6"),
        ("1 % 0", "divides by zero, at column 3"),
        ("1 / 0", "the result is no finite number, which has no JSON"),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn no_value_is_in_what_is_said() {
    for text in [
        "int(vars.secret)",
        "float(vars.secret)",
        "fromJSON(vars.secret)",
        "date(vars.secret)",
        "duration(vars.secret)",
        "timezone(vars.secret)",
        "fromBase64(vars.secret + '!')",
        "vars.secret + 1",
        "vars.list[vars.secret]",
        "vars.n[vars.secret]",
        "semverParse(vars.secret)",
        "vars.s matches ('[' + vars.secret)",
        "sort([vars.secret, 1])",
    ] {
        let said = refused(text);
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn nothing_takes_long_or_much() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(5_000), close.repeat(5_000));
    let chain = |part: &str| format!("1{}", part.repeat(8_000));
    let middle = (0..30).fold("2".to_owned(), |inside, _| format!("(1 < {inside} < 3 ? 2 : 2)"));
    for text in [
        deep("(", ")"),
        deep("[", "]"),
        deep("{a:", "}"),
        deep("-", ""),
        deep("!", ""),
        deep("map([1], ", ")"),
        deep("1 ? ", " : 1"),
        deep("if true {", "} else {1}"),
        deep("let a = ", "; a"),
        deep("vars.s[", "]"),
        chain(" + 1"),
        chain("?.a"),
        format!("vars{}", ".a".repeat(8_000)),
        format!("vars{}", "?.[0]".repeat(5_000)),
        format!("1{}", " | len()".repeat(4_000)),
        "a ".repeat(100_000),
        middle,
        "1..1000000000".into(),
        "1..9223372036854775807".into(),
        "-9223372036854775807..9223372036854775807".into(),
        "map(1..999999, map(1..999999, #))".into(),
        "map(1..2000, filter(1..2000, # > 1))".into(),
        "count(1..900000, any(1..900000, # < 0))".into(),
        "repeat('abcdefgh', 1000000)".into(),
        "reduce(1..100, #acc + #acc, 'a')".into(),
        "reduce(1..100, replace(#acc, 'a', 'aa'), 'a')".into(),
        "toJSON(reduce(1..100, [#acc, #acc], 1))".into(),
        "string(reduce(1..100, {a: #acc, b: #acc}, 1))".into(),
        "asYAML(reduce(1..100, [#acc, #acc], 1))".into(),
        "flatten(reduce(1..100, [#acc, #acc], 1))".into(),
        "max(reduce(1..100, [#acc, #acc], 1))".into(),
        "reduce(1..100, [#acc, #acc], 1) == reduce(1..100, [#acc, #acc], 1)".into(),
        "reduce(1..100000, [#acc], 1)".into(),
        "reduce(1..100000, {a: #acc}, 1)".into(),
        "uniq(1..900000)".into(),
        "groupBy(1..900000, #)".into(),
        "fromPairs(map(1..300000, [#, #]))".into(),
        "let s = repeat('a', 900000); sort(map(1..90000, s))".into(),
        "let s = repeat('a', 900000); map(1..90000, s contains 'b')".into(),
        "let s = repeat('a', 900000); map(1..90000, upper(s))".into(),
        "let s = repeat('a', 900000); map(1..90000, s matches '^(a|b|ab)*c')".into(),
        "map(1..90000, 'a' matches string(#) + '\\\\pL{100}')".into(),
        "let s = repeat('a', 900000); split(s, '') | map(split(s, ''))".into(),
        "let s = repeat('a', 900000); map(1..90000, vars[s])".into(),
        "let s = repeat('a', 900000); map(1..90000, {(s): 1})".into(),
        "'a' matches '((\\\\pL{100}){100}){100}'".into(),
    ] {
        let shown: String = text.chars().take(60).collect();
        assert!(evaluated(&text).is_err(), "{shown}");
    }
    let many = "${{ len(1..900000) }}".repeat(1_000);
    template(&many, &environment()).unwrap_err();
    template(&format!("${{{{ 1 }}}}{}", "a".repeat(2 << 20)), &environment()).unwrap_err();
}

#[test]
fn what_people_write_is_far_from_the_bounds() {
    let many = (0..40).map(|n| format!("vars.s == 'v{n}'")).collect::<Vec<_>>().join(" || ");
    assert_eq!(evaluated(&many).unwrap(), json!(false));
    let sum = (0..90).map(|n| n.to_string()).collect::<Vec<_>>().join(" + ");
    assert_eq!(evaluated(&sum).unwrap(), json!(4005));
    let nested = (0..20).fold("vars.n".to_owned(), |inside, n| format!("(({inside}) + {n})"));
    assert_eq!(evaluated(&nested).unwrap(), json!(193));
    let unordered = "len(sort(map(1..1000, # % 3 == 0 ? 0.0 / 0 : #)))";
    assert_eq!(evaluated(unordered).unwrap(), json!(1000), "floats that are no numbers");
    assert_eq!(evaluated("sum(map(1..50000, # % 7))").unwrap(), json!(150_003));
}

#[test]
fn the_clock_is_the_callers() {
    assert_eq!(evaluated("now()").unwrap(), json!("2023-11-14T22:13:20Z"));
    for (text, expected) in [
        (
            "now(timezone('Europe/Berlin')).Format('2006-01-02 15:04 MST')",
            json!("2023-11-14 23:13 CET"),
        ),
        ("(now() - duration('36h')).Weekday().String()", json!("Monday")),
        ("now() > date('2023-11-14')", json!(true)),
        (
            "date('2024-07-01 10:00', '2006-01-02 15:04', 'America/New_York').UTC()",
            json!("2024-07-01T14:00:00Z"),
        ),
        ("date('2024-01-31').AddDate(0, 1, 0).Month().String()", json!("February")),
        ("string(duration('1h30m') * 2)", json!("3h0m0s")),
        ("date('Mon, 02 Jan 2006 15:04:05 MST').Unix()", json!(1_136_214_245)),
    ] {
        assert_eq!(evaluated(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn freight_is_found_by_repository_and_origin() {
    let collection = json!({ "id": "c", "items": {
        "Warehouse/w": {
            "name": "f", "origin": { "kind": "Warehouse", "name": "w" },
            "commits": [{ "repoURL": "https://github.com/acme/web.git", "id": "abc", "branch": "main", "message": "fix" }],
            "images": [
                { "repoURL": "ghcr.io/acme/web", "tag": "1.2.3", "digest": "sha256:ab", "annotations": { "k": "v" } },
                { "repoURL": "nginx", "tag": "1.27" },
            ],
            "charts": [{ "repoURL": "https://charts", "name": "web", "version": "2.0.0" }, { "repoURL": "oci://c/d", "version": "3" }],
            "artifacts": [{ "artifactType": "t", "subscriptionName": "art", "version": "7", "metadata": { "a": [1, 2] } }],
        },
        "Warehouse/x": {
            "name": "g", "origin": { "kind": "Warehouse", "name": "x" },
            "images": [{ "repoURL": "nginx", "tag": "1.28" }],
        },
    } });
    let collection = serde_json::from_value(collection).unwrap();
    let environment =
        Environment::new(Functions::default().with_utilities().with_freight(&collection), NOW);
    let value = |text: &str| template(&format!("${{{{ {text} }}}}"), &environment);
    for (text, expected) in [
        ("imageFrom('ghcr.io/acme/web').Tag", json!("1.2.3")),
        ("imageFrom('ghcr.io/acme/web').Annotations.k", json!("v")),
        ("imageFrom('nginx', warehouse('x')).Tag", json!(1.28)),
        ("imageFrom('nginx', warehouse('x')).Digest == ''", json!(true)),
        ("imageFrom('nginx', warehouse('y'))", json!(null)),
        ("imageFrom('nope')?.Tag ?? 'none'", json!("none")),
        ("commitFrom('https://github.com/acme/web').ID", json!("abc")),
        ("commitFrom('https://github.com/acme/web').Message", json!("fix")),
        ("chartFrom('https://charts', 'web').Version", json!("2.0.0")),
        ("chartFrom('oci://c/d', warehouse('w')).Version", json!(3)),
        ("chartFrom('oci://c/d', warehouse('x'))", json!(null)),
        ("artifactFrom('art').Metadata.a[1]", json!(2)),
        ("warehouse('w').Name", json!("w")),
        ("imageFrom('nginx', warehouse('w'))", json!({ "repoURL": "nginx", "tag": "1.27" })),
    ] {
        assert_eq!(value(text), Ok(Coerced::Json(expected)), "{text}");
    }
    for (text, expected) in [
        (
            "imageFrom('nginx').Tag",
            "imageFrom finds it in Freight of more than one origin; add warehouse(\"name\"), at column 2",
        ),
        (
            "imageFrom('nginx').tag",
            "an image has no \"tag\", only RepoURL, Tag, Digest, Annotations, SubscriptionName, at column 21",
        ),
        ("imageFrom('nope').Tag", "nil has no such member, at column 20"),
        ("chartFrom('oci://nope')", "chartFrom finds no such chart in the Freight, at column 2"),
        ("imageFrom()", "imageFrom takes 1 argument, and gets 0, at column 2"),
        ("imageFrom('nginx', 'w')", "imageFrom takes 1 argument, and gets 2, at column 2"),
        ("warehouse('')", "warehouse takes the name of a Warehouse, at column 2"),
    ] {
        assert_eq!(value(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn a_number_is_coerced_to_what_go_would_read() {
    for (text, expected) in [
        ("1.10", json!(1.1)),
        ("0123456", json!(123_456)),
        ("1_000", json!(1000)),
        ("0x1.8p1", json!(3)),
        ("1e400", json!("1e400")),
        ("_1", json!("_1")),
        ("T", json!(true)),
        ("yes", json!("yes")),
        ("[1.0]", json!([1])),
        ("\"1\"", json!("1")),
        ("\"", json!("\"")),
        ("5\n", json!(5)),
        ("x\n", json!("x\n")),
    ] {
        assert_eq!(coerce::coerce(text), Coerced::Json(expected), "{text:?}");
    }
}

#[test]
fn what_is_filled_in_is_what_it_is() {
    let collection = json!({ "id": "c", "items": { "Warehouse/w": {
        "name": "f", "origin": { "kind": "Warehouse", "name": "w" },
        "images": [{ "repoURL": "nginx", "tag": "1.10" }],
    } } });
    let collection = serde_json::from_value(collection).unwrap();
    let functions = Functions::default().with_utilities().with_freight(&collection);
    let environment = Environment::timeless(functions);
    let fill = |text: &str| Evaluation::new(&environment).fill(text);
    for (text, expected) in [
        ("plain", json!("plain")),
        ("", json!("")),
        ("1.10", json!("1.10")),
        ("${{ imageFrom('nginx').Tag }}", json!("1.10")),
        ("${% imageFrom('nginx').Tag %}", json!("1.10")),
        ("${{ quote(imageFrom('nginx').Tag) }}", json!("1.10")),
        ("v${{ imageFrom('nginx').Tag }}-${{ 1 + 1 }}", json!("v1.10-2")),
        ("${{ 1 + 1 }}", json!(2)),
        ("${{ 1 + 1 }} ", json!("2 ")),
        ("${{ 'a' == 'a' }}", json!(true)),
        ("${{ {'a': [1, 'x']} }}", json!({ "a": [1, "x"] })),
        ("${{ nil }}", json!(null)),
        ("${{ \"${{\" }} stays", json!("${{ stays")),
    ] {
        assert_eq!(fill(text), Ok(expected), "{text}");
    }
    for (text, expected) in [
        ("${{ 1", "${{ is not closed; }} is missing"),
        ("${{ imageFrom('nope').Tag }}", "nil has no such member, at column 20"),
        (
            "${{ now() }}",
            "now is not to be had here: the result would depend on the time, at column 2",
        ),
    ] {
        assert_eq!(fill(text).unwrap_err().to_string(), expected, "{text}");
    }

    // What all of them take together is bounded.
    let mut evaluation = Evaluation::new(&environment);
    let mut costly = || evaluation.fill("${{ len(1..400000) }}");
    assert_eq!(costly(), Ok(json!(400_000)));
    let all: Vec<_> = std::iter::repeat_with(costly).take(4).collect();
    assert!(all.iter().any(Result::is_err), "{all:?}");
}
