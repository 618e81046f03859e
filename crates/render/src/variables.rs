//! Argo CD's build environment: what `$ARGOCD_APP_NAME` and its like stand for in the options of a source.

/// What Argo CD knows about a source it renders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// With its namespace before it, where that is not Argo CD's own.
    pub app_name: String,
    /// The destination's.
    pub namespace: String,
    pub project: String,
    pub revision: String,
    pub repo_url: String,
    pub path: String,
    pub target_revision: String,
}

impl Variables {
    /// Puts values in for `$NAME` and `${NAME}`. `$$` is a dollar; a name that is not known is nothing. Expressions stay.
    pub fn expand(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(length) = expression(after) {
                out.push('$');
                out.push_str(&after[..length]);
                rest = &after[length..];
                continue;
            }
            if after.is_empty() {
                out.push('$');
            }
            let (name, length) = name(after);
            match name {
                "$" => out.push('$'),
                "" if length == 0 && !after.is_empty() => out.push('$'),
                name => out.push_str(self.get(name).unwrap_or_default()),
            }
            rest = &after[length..];
        }
        out.push_str(rest);
        out
    }

    /// Whether `text` begins with a variable that is known.
    pub fn begins(&self, text: &str) -> bool {
        text.strip_prefix('$').is_some_and(|after| self.get(name(after).0).is_some())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let short = |length| self.revision.get(..length).unwrap_or(&self.revision);
        Some(match name.strip_prefix("ARGOCD_APP_")? {
            "NAME" => &self.app_name,
            "NAMESPACE" => &self.namespace,
            "PROJECT_NAME" => &self.project,
            "REVISION" => &self.revision,
            "REVISION_SHORT" => short(7),
            "REVISION_SHORT_8" => short(8),
            "SOURCE_REPO_URL" => &self.repo_url,
            "SOURCE_PATH" => &self.path,
            "SOURCE_TARGET_REVISION" => &self.target_revision,
            _ => return None,
        })
    }
}

/// How long the rest of an expression is, if it is one that the dollar begins.
fn expression(after: &str) -> Option<usize> {
    let end = [("{{", "}}"), ("{%", "%}")].into_iter().find(|(start, _)| after.starts_with(start));
    let (start, end) = end?;
    after[start.len()..].find(end).map(|length| start.len() + length + end.len())
}

/// The name after a dollar, and how many bytes it takes: Go's `os.Expand`, down to what is no name at all.
fn name(after: &str) -> (&str, usize) {
    let special = |c: char| "*#$@!?-0123456789".contains(c);
    if let Some(inner) = after.strip_prefix('{') {
        return match inner.find('}') {
            Some(end) => (&inner[..end], end + 2),
            None => ("", 1),
        };
    }
    if after.starts_with(special) {
        return (&after[..1], 1);
    }
    let end = after.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
    let end = end.unwrap_or(after.len());
    (&after[..end], end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_as_argo_cd_puts_them_in() {
        let variables = Variables {
            app_name: "team_web".into(),
            revision: "0123456789".into(),
            path: "apps/web".into(),
            ..Variables::default()
        };
        for (text, expected) in [
            ("plain", "plain"),
            ("$ARGOCD_APP_NAME", "team_web"),
            ("a-${ARGOCD_APP_NAME}-b", "a-team_web-b"),
            ("$ARGOCD_APP_NAME-$ARGOCD_APP_SOURCE_PATH/x", "team_web-apps/web/x"),
            ("$ARGOCD_APP_REVISION_SHORT $ARGOCD_APP_REVISION_SHORT_8", "0123456 01234567"),
            ("$ARGOCD_APP_NAMEx", ""),
            ("$HOME${PATH}", ""),
            ("pa$$word, $$ARGOCD_APP_NAME", "pa$word, $ARGOCD_APP_NAME"),
            ("5$ or $.5", "5$ or $.5"),
            ("$1.50 $- x", ".50  x"),
            ("${} ${", " "),
            ("${$}", "$"),
            ("ä$é", "ä$é"),
            ("$ARGOCD_APP_NAME-${{ '$HOME' }}-$HOME", "team_web-${{ '$HOME' }}-"),
            ("${% {'a': '$$'} %}$$", "${% {'a': '$$'} %}$"),
        ] {
            assert_eq!(variables.expand(text), expected, "{text}");
        }
        assert!(variables.begins("${ARGOCD_APP_NAMESPACE}/x") && !variables.begins("$values/x"));
        assert!(!variables.begins("ARGOCD_APP_NAME"));
    }
}
