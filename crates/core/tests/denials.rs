//! `docs/denials.md` says what the explanations say. `BLESS=1 cargo test -p wharfinger-core --test denials` writes it anew.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde::de::value::Error;
use serde::de::{Deserialize as _, Deserializer, IntoDeserializer as _, Visitor};
use wharfinger_core::check::{Code, Explanation};

const HEAD: &str = "\
# What a denial means

<!-- Generated from crates/core/src/check/explanation.rs: BLESS=1 cargo test -p wharfinger-core --test denials -->

What Wharfinger refuses ends with a code in brackets, wherever it is said: by `kubectl`, in Argo CD, in an event, in a status.

```console
$ kubectl delete stage prod -n shop
Error from server (Forbidden): admission webhook \"stages.wharfinger.dev\" denied the request: wharfinger: … [in-use]
$ kubectl delete stage prod -n shop 2>&1 | wharf why
```

`wharf why` takes all of the text, or the code alone. The same codes stand for what is waited for and for what `wharf doctor` finds.
";

#[test]
fn every_code_is_explained() {
    let mut page = HEAD.to_owned();
    for (name, Explanation { meaning, rule, who, next }) in explained() {
        writeln!(page, "\n## {name}\n\n{meaning}\n").unwrap();
        writeln!(page, "- Rule: {rule}").unwrap();
        if let Some(who) = who {
            writeln!(page, "- Who may: {who}").unwrap();
        }
        writeln!(page, "- Next: {next}").unwrap();
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/denials.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == page,
        "docs/denials.md is stale: BLESS=1 cargo test -p wharfinger-core --test denials"
    );
}

#[test]
fn explanations_are_sentences() {
    for (name, Explanation { meaning, rule, who, next }) in explained() {
        for text in [meaning, rule, next].into_iter().chain(who) {
            assert!(text.ends_with('.') && text.trim() == text, "{name}: {text}");
        }
    }
}

/// Every code by its name, in their order.
fn explained() -> impl Iterator<Item = (&'static str, Explanation)> {
    names().iter().map(|name| {
        let code: Result<Code, Error> = Code::deserialize((*name).into_deserializer());
        let code = code.expect("what serde calls a code is one");
        (*name, code.explanation())
    })
}

/// The names of all codes, in their order, from what serde knows of them.
fn names() -> &'static [&'static str] {
    struct Names<'n>(&'n mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = Error;

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            *self.0 = variants;
            Err(serde::de::Error::custom("only the names are asked for"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(serde::de::Error::custom("a code is an enum"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
        }
    }

    let mut names: &[&str] = &[];
    Code::deserialize(Names(&mut names)).expect_err("only the names are asked for");
    names
}
