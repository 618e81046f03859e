//! JSON text, taken apart object by object. What is in a value is left to `serde_json`, which alone has no way to pass over a value
//! that is known already.

use std::borrow::Cow;

use serde_json::Deserializer;
use serde_json::value::RawValue;

/// Goes through JSON text from its beginning.
#[derive(Debug)]
pub struct Words<'t> {
    text: &'t str,
    at: usize,
}

/// What became of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    Yes,
    LeftOut,
}

impl<'t> Words<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Takes an object. `each` is told the name of each field, without quotes and in the one way in which it is written as
    /// JSON, and takes the value.
    pub fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.next() != Some(b'{') {
            return Err(self.wrong("expected an object"));
        }
        self.at += 1;
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let name = self.name()?;
            if self.next() != Some(b':') {
                return Err(self.wrong("expected `:`"));
            }
            self.at += 1;
            each(self, &name)?;
            let next = self.next();
            if next != Some(b',') && next != Some(b'}') {
                return Err(self.wrong("expected `,` or `}`"));
            }
            self.at += 1;
            if next == Some(b'}') {
                return Ok(());
            }
        }
    }

    /// Takes an object and writes it down. `each` writes the value of a field, or says that the field is to be left out.
    pub fn copy(
        &mut self,
        into: &mut String,
        mut each: impl FnMut(&mut Self, &mut String, &str) -> Result<Copied, String>,
    ) -> Result<(), String> {
        into.push('{');
        let mut first = true;
        self.object(|words, name| {
            let end = into.len();
            into.extend([if first { "\"" } else { ",\"" }, name, "\":"]);
            match each(words, into, name)? {
                Copied::Yes => first = false,
                Copied::LeftOut => into.truncate(end),
            }
            Ok(())
        })?;
        into.push('}');
        Ok(())
    }

    /// Takes a value, whatever it is.
    pub fn value(&mut self) -> Result<&'t str, String> {
        let mut values = Deserializer::from_str(&self.text[self.at..]).into_iter::<&'t RawValue>();
        match values.next() {
            Some(Ok(value)) => {
                self.at += values.byte_offset();
                Ok(value.get())
            }
            Some(Err(e)) => Err(self.wrong(&without_line(&e))),
            None => Err(self.wrong("expected a value")),
        }
    }

    /// Takes a value, which may be one that was taken before.
    pub(super) fn value_as(&mut self, said: Option<&str>) -> Result<&'t str, String> {
        let rest = self.rest();
        match said.filter(|said| self.again(said)) {
            Some(said) => Ok(&rest[..said.len()]),
            None => self.value(),
        }
    }

    /// Takes the very value that was taken before, if that is what is next: its end can't be elsewhere.
    pub(super) fn again(&mut self, value: &str) -> bool {
        let ends_by_itself = value.starts_with(['{', '[', '"']);
        self.next();
        let again = ends_by_itself && self.text[self.at..].starts_with(value);
        if again {
            self.at += value.len();
        }
        again
    }

    /// Begins with what is next, without the space before it.
    pub(super) fn rest(&mut self) -> &'t str {
        self.next();
        &self.text[self.at..]
    }

    /// Nothing else may follow.
    pub fn end(mut self) -> Result<(), String> {
        self.next().map_or(Ok(()), |_| Err(self.wrong("trailing characters")))
    }

    /// Whether an object is next.
    pub fn is_object(&mut self) -> bool {
        self.next() == Some(b'{')
    }

    /// What is next, if not space.
    fn next(&mut self) -> Option<u8> {
        let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let rest = &self.text.as_bytes()[self.at..];
        let spaces = rest.iter().position(|byte| !space(byte));
        self.at += spaces.unwrap_or(rest.len());
        self.text.as_bytes().get(self.at).copied()
    }

    fn name(&mut self) -> Result<Cow<'t, str>, String> {
        if self.next() != Some(b'"') {
            return Err(self.wrong("expected a field"));
        }
        let rest = &self.text[self.at + 1..];
        let end = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..=0x1f));
        if let Some(end) = end.filter(|end| rest.as_bytes()[*end] == b'"') {
            self.at += end + 2;
            return Ok(rest[..end].into());
        }
        let from = self.at;
        let name = serde_json::from_str::<String>(self.value()?)
            .and_then(|name| serde_json::to_string(&name))
            .map_err(|e| Self { at: from, ..*self }.wrong(&without_line(&e)))?;
        Ok(name[1..name.len() - 1].to_owned().into())
    }

    fn wrong(&self, what: &str) -> String {
        let what = if self.at == self.text.len() { "it ends too early" } else { what };
        format!("{what}, at byte {}", self.at)
    }
}

/// What is wrong. Line and column are of a text that nobody has.
pub fn without_line(e: &serde_json::Error) -> String {
    let text = e.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<Vec<(String, String)>, String> {
        let (mut words, mut told) = (Words::new(text), vec![]);
        words.object(|words, name| {
            told.push((name.to_owned(), words.value()?.to_owned()));
            Ok(())
        })?;
        words.end().map(|()| told)
    }

    #[test]
    fn fields_are_told_apart() {
        let check = |text: &str, fields: &[(&str, &str)]| {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            assert_eq!(told(text), Ok(fields), "{text}");
        };
        check("{}", &[]);
        check(" { \n} \t", &[]);
        check(
            r#"{"a":1,"b":{"c":[1,{}]},"d":"}\"","":null}"#,
            &[("a", "1"), ("b", r#"{"c":[1,{}]}"#), ("d", r#""}\"""#), ("", "null")],
        );
        check(" {\r\n\"a\" :\t-1.5e3 , \"b\" : true }\n", &[("a", "-1.5e3"), ("b", "true")]);
        // A name is the same name however it is written.
        check(r#"{"\u0061ä\/\"\n":1}"#, &[(r#"aä/\"\n"#, "1")]);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let check = |text: &str, what: &str| assert_eq!(told(text), Err(what.to_owned()), "{text}");
        check("", "it ends too early, at byte 0");
        check("[]", "expected an object, at byte 0");
        check("{", "it ends too early, at byte 1");
        check("{,}", "expected a field, at byte 1");
        check("{a:1}", "expected a field, at byte 1");
        check("{\"a\"", "it ends too early, at byte 4");
        check("{\"a", "EOF while parsing a string, at byte 1");
        check("{\"a\" 1}", "expected `:`, at byte 5");
        check("{\"a\":}", "expected value, at byte 5");
        check("{\"a\":1", "it ends too early, at byte 6");
        check("{\"a\":1 \"b\":1}", "expected `,` or `}`, at byte 7");
        check("{\"a\":1]", "expected `,` or `}`, at byte 6");
        check("{\"a\":1,}", "expected a field, at byte 7");
        check("{\"a\":1}}", "trailing characters, at byte 7");
        check("{\"a\":truex}", "trailing characters, at byte 5");
        check(
            "{\"a\u{1}\":1}",
            "control character (\\u0000-\\u001F) found while parsing a string, at byte 1",
        );
        check("{\"\\ud800\":1}", "unexpected end of hex escape, at byte 1");
    }

    #[test]
    fn an_object_is_written_down_without_what_is_left_out() {
        let check = |text: &str, copied: &str| {
            let mut into = "before ".to_owned();
            let copy = Words::new(text).copy(&mut into, |words, into, name| {
                into.push_str(words.value()?);
                Ok(if name == "x" { Copied::LeftOut } else { Copied::Yes })
            });
            assert_eq!((copy, into), (Ok(()), format!("before {copied}")), "{text}");
        };
        check("{}", "{}");
        check("{\"x\": 1}", "{}");
        check(
            "{\"x\": 1, \"a\": [2, 3], \"x\": 1, \"\\u0062\": {}, \"x\": 1}",
            "{\"a\":[2, 3],\"b\":{}}",
        );
    }

    #[test]
    fn a_value_is_taken_again_only_where_it_ends_by_itself() {
        let check = |text: &str, value: &str, again: bool| {
            let mut words = Words::new(text);
            assert_eq!(words.again(value), again, "{text}");
            assert_eq!(words.rest(), if again { &text[value.len()..] } else { text });
        };
        check("{\"a\":1},", "{\"a\":1}", true);
        check("[1]", "[1]", true);
        check("\"a\"", "\"a\"", true);
        check("12", "1", false);
        check("[12]", "[1]", false);
    }
}
