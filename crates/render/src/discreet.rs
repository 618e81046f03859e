//! What a tool says, without the values that it quotes: its words end in an Application's status, which more people read
//! than may read a Secret.
//!
//! Helm and Kustomize have no word for what is secret. So wherever they are known to quote a value, a generator's source, a
//! patch or a whole object, it is left out, whatever it is; names of files, fields and objects stay. What a chart says
//! itself, by `fail` or `required`, stays as well: it is meant to be read.

/// What stands between the two is left out; all the rest, where `before` is empty.
struct Quoted {
    after: &'static str,
    before: &'static str,
    /// How far it may go.
    within: Within,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Without `before` in the same line it is something else.
    Line,
    /// Values that are printed as they are may have any number of lines. Without `before` they are all the rest.
    Text,
}

use Within::{Line, Text};

const fn quoted(after: &'static str, within: Within, before: &'static str) -> Quoted {
    Quoted { after, before, within }
}

const QUOTED: &[Quoted] = &[
    // Kustomize: generators, patches and objects, as a whole.
    quoted("with config: `", Text, "`: "),
    quoted("literal sources [", Text, ", expected key=value"),
    quoted("generator &{", Text, "}: "),
    quoted("[patch: ", Text, "]"),
    quoted("must specify one of patch and path in\n", Text, ""),
    quoted("patch and path can't be set at the same time\n", Text, ""),
    quoted("decoding [", Text, ": "),
    quoted("must specify a target for patch ", Text, ""),
    quoted("node contents:\n", Text, ""),
    quoted("value: {", Text, ""),
    quoted("content summary: ", Text, ""),
    quoted("for the following resource:\n", Text, ""),
    quoted("in object {", Text, "}}"),
    quoted("Too many possible referral targets", Text, ""),
    quoted("is not a string: ", Text, ""),
    quoted("out of bounds for value ", Text, ""),
    quoted("line [", Text, ""),
    // What both read YAML and JSON with.
    quoted("cannot unmarshal !", Line, " into"),
    quoted("cannot unmarshal number", Line, " into"),
    quoted("unknown anchor '", Line, "' referenced"),
    // Helm: the schema of a chart.
    quoted("': '", Line, "' does not match pattern"),
    quoted("': '", Line, "' is not valid"),
    quoted("inimum: got ", Line, ","),
    quoted("aximum: got ", Line, ","),
    quoted("multipleOf: got ", Line, ","),
    // Helm: functions of templates.
    quoted("cannot parse template ", Text, ""),
    quoted("tpl function execution for ", Text, "\": "),
    quoted("can't iterate over ", Text, ""),
    quoted("if/with can't use ", Text, ""),
    quoted("parsing \"", Line, "\": "),
    quoted("parsing time ", Line, ""),
    quoted("parse \"", Line, "\": "),
    quoted("Compile(", Line, ""),
    quoted("error parsing regexp: ", Line, ""),
    quoted("improper constraint: ", Line, ""),
];

/// Stands for what was left out.
const CUT: &str = "…";

/// A name that Kustomize looked for. Where a patch stands in the place of a name, it looks for a file that is called so.
const LOOKED_FOR: &str = "evalsymlink failure on '";

pub(crate) fn told(text: &str) -> String {
    let mut told = QUOTED.iter().fold(text.to_owned(), |text, quoted| quoted.cut_from(&text));
    if let Some((at, _)) = told.match_indices(LOOKED_FOR).find(|(at, found)| {
        let name = &told[at + found.len()..];
        let name = name.split_once("' : ").map_or(name, |(name, _)| name);
        name.contains(['\n', '{', '[', '"', ':'])
    }) {
        told.truncate(at + LOOKED_FOR.len());
        told.push_str(CUT);
    }
    told
}

impl Quoted {
    fn cut_from(&self, text: &str) -> String {
        let mut told = String::new();
        let mut rest = text;
        while let Some((known, quoted)) = rest.split_once(self.after) {
            let (end, otherwise) = match self.within {
                Line => (quoted.find('\n').unwrap_or(quoted.len()), 0),
                Text => (quoted.len(), quoted.len()),
            };
            // The last one: the value may hold others.
            let end = match self.before {
                "" => end,
                before => quoted[..end].rfind(before).unwrap_or(otherwise),
            };
            told.push_str(known);
            told.push_str(self.after);
            told.push_str(if end == 0 { "" } else { CUT });
            rest = &quoted[end..];
        }
        told + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_of_values_is_left_out() {
        for (said, expected) in [
            (
                "loading KV pairs: literal sources [a=b hunter2]: invalid literal source hunter2, expected key=value",
                "loading KV pairs: literal sources […, expected key=value",
            ),
            (
                "trouble configuring builtin PatchTransformer with config: `\npatch: 'a: `x`: {hunter2'\n`: unable to parse SM or JSON patch from [patch: \"a: {hunter2\\n\"]",
                "trouble configuring builtin PatchTransformer with config: `…`: unable to parse SM or JSON patch from [patch: …]",
            ),
            (
                "with config: `\npath: p.yaml\n`: unable to parse SM or JSON patch from [path: \"p.yaml\"]",
                "with config: `…`: unable to parse SM or JSON patch from [path: \"p.yaml\"]",
            ),
            (
                "with config: `\npatch: hunter2\n`: patch and path can't be set at the same time\npatch: hunter2\n",
                "with config: `…`: patch and path can't be set at the same time\n…",
            ),
            (
                "with config: `\npaths:\n- 'a: hunter2'\n`: evalsymlink failure on 'a:\nhunter2' : lstat a:\nhunter2: no such file",
                "with config: `…`: evalsymlink failure on '…",
            ),
            (
                "evalsymlink failure on 'gone.yaml' : lstat gone.yaml: no such file or directory",
                "evalsymlink failure on 'gone.yaml' : lstat gone.yaml: no such file or directory",
            ),
            (
                "merging from generator &{0xca2ed9260e0 <nil>}: id resid.ResId{Name:\"s\"} exists",
                "merging from generator &{…}: id resid.ResId{Name:\"s\"} exists",
            ),
            (
                "wrong node kind: expected MappingNode but got ScalarNode: node contents:\nhunter2\n",
                "wrong node kind: expected MappingNode but got ScalarNode: node contents:\n…",
            ),
            (
                "yaml: unmarshal errors:\n  line 4: cannot unmarshal !!str `hunter2` into int\n  line 5: cannot unmarshal !!int `12345` into map[string]string",
                "yaml: unmarshal errors:\n  line 4: cannot unmarshal !… into int\n  line 5: cannot unmarshal !… into map[string]string",
            ),
            (
                "json: cannot unmarshal number into Go struct field X.a of type string; cannot unmarshal number 123 into x",
                "json: cannot unmarshal number… into x",
            ),
            (
                "yaml: unknown anchor 'hunter2' referenced in File: s.yaml",
                "yaml: unknown anchor '…' referenced in File: s.yaml",
            ),
            (
                "yaml: line 3: did not find expected ',' or '}'",
                "yaml: line 3: did not find expected ',' or '}'",
            ),
            (
                "web:\n- at '/password': 'hunter2\\' x' does not match pattern '^x'\n- at '/mail': 'hunter2' is not valid email: no @\n- at '/a': got string, want integer\n- at '/pin': minimum: got 1234, want 5\n",
                "web:\n- at '/password': '…' does not match pattern '^x'\n- at '/mail': '…' is not valid email: no @\n- at '/a': got string, want integer\n- at '/pin': minimum: got …, want 5\n",
            ),
            (
                "at <tpl .Values.a .>: error calling tpl: cannot parse template \"hunter2 {{\": template: web/templates/x.yaml:1: unexpected \"hunter2\"",
                "at <tpl .Values.a .>: error calling tpl: cannot parse template …",
            ),
            (
                "executing \"a.yaml\" at <.Values.a>: range can't iterate over hunter2\nhunter2",
                "executing \"a.yaml\" at <.Values.a>: range can't iterate over …",
            ),
            (
                "strconv.ParseInt: parsing \"hunter2\": invalid syntax",
                "strconv.ParseInt: parsing \"…\": invalid syntax",
            ),
            (
                "execution error at (c/templates/x.yaml:1:3): no way",
                "execution error at (c/templates/x.yaml:1:3): no way",
            ),
        ] {
            assert_eq!(told(said), expected);
        }
    }
}
