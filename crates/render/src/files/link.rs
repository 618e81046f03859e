//! How a set of files is put together, links included.

use std::collections::{BTreeMap, VecDeque};
use std::mem;

use bytes::Bytes;

use super::{Files, Limits, Refused, parent};

/// As many as Linux follows.
const HOPS: usize = 40;

/// Files and links that become [`Files`].
pub struct Tree {
    /// As they came: to sort many at once is cheaper than to keep them in order.
    files: Vec<(String, Bytes)>,
    links: BTreeMap<String, Link>,
    limits: Limits,
    bytes: u64,
}

/// Links by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Links {
    all: BTreeMap<String, Link>,
    /// The folder of the repository that is the root.
    above: String,
}

/// Followed from the folder `from`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    from: String,
    target: String,
}

/// The way from a name to what it stands for.
pub(super) struct Way {
    /// The links on it, as they are met.
    pub(super) links: Vec<String>,
    pub(super) to: To,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum To {
    /// A name below the root, whether anything is there or not.
    Inside(String),
    /// A name below the root of the repository, of which not all was handed over.
    Outside(String),
}

/// What there is, each name once.
struct Nodes {
    files: BTreeMap<String, Bytes>,
    links: Links,
    limits: Limits,
}

/// What a name stands for, once all links on the way are followed.
enum End<'t> {
    File(&'t Bytes),
    Folder(String),
    Nowhere,
    Outside,
}

impl Tree {
    pub fn new(limits: Limits) -> Self {
        Self { files: Vec::new(), links: BTreeMap::new(), limits, bytes: 0 }
    }

    /// How many more bytes there may be.
    pub fn room(&self) -> u64 {
        self.limits.bytes - self.bytes
    }

    /// Adds a file, in the place of any that had the name before. Where the content is a part of something larger, that is
    /// held as long as the part.
    pub fn file(&mut self, name: &[u8], content: impl Into<Bytes>) -> Result<(), Refused> {
        let (name, content) = (plain(name)?, content.into());
        if content.len() as u64 > self.room() {
            return Err(Refused::TooLarge(self.limits.bytes));
        }
        self.bytes += content.len() as u64;
        self.links.remove(&name);
        self.files.push((name, content));
        self.counted()
    }

    /// Adds a symbolic link: followed from where it lies.
    pub fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), Refused> {
        let name = plain(name)?;
        let from = parent(&name).to_owned();
        self.follow(name, from, target)
    }

    /// Adds a hard link of an archive: a second name for another file, told from the root.
    pub fn hard_link(&mut self, name: &[u8], target: &[u8]) -> Result<(), Refused> {
        self.follow(plain(name)?, String::new(), target)
    }

    fn follow(&mut self, name: String, from: String, target: &[u8]) -> Result<(), Refused> {
        match std::str::from_utf8(target) {
            Ok(text) if !text.is_empty() && !text.starts_with('/') => {
                self.links.insert(name, Link { from, target: text.to_owned() });
                self.counted()
            }
            _ => Err(Refused::Escape { name, target: String::from_utf8_lossy(target).into() }),
        }
    }

    /// A file that comes twice counts twice.
    fn counted(&self) -> Result<(), Refused> {
        if self.files.len() + self.links.len() > self.limits.files {
            Err(Refused::TooMany(self.limits.files))
        } else {
            Ok(())
        }
    }

    /// Resolves the links. `above` is the folder of the repository that is the root. A link out of the repository is refused,
    /// whether anybody needs it or not; one to what was not handed over is remembered for whoever would read it; one that
    /// leads nowhere is left out, as is one to a folder that it lies in.
    pub fn finish(self, above: &str) -> Result<Files, Refused> {
        let Self { mut files, links, limits, .. } = self;
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        // Of one name, what came last.
        files.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                mem::swap(later, kept);
            }
            same
        });
        let mut files: BTreeMap<_, _> = files.into_iter().collect();
        for name in links.keys() {
            files.remove(name);
        }
        Nodes { files, links: Links { all: links, above: above.to_owned() }, limits }.resolved()
    }
}

impl Nodes {
    fn resolved(self) -> Result<Files, Refused> {
        // What links lead to.
        let mut led = Files::default();
        let mut folders = VecDeque::new();
        for name in self.links.all.keys() {
            match self.end(name)? {
                End::File(content) => self.put(&mut led, name.clone(), content)?,
                End::Folder(folder) => folders.push_back((name.clone(), folder, 1)),
                End::Outside => self.put_outside(&mut led, name.clone())?,
                End::Nowhere => {}
            }
        }
        while let Some((name, folder, depth)) = folders.pop_front() {
            if depth > HOPS {
                return Err(Refused::Loop(name));
            }
            self.expand(&mut led, &mut folders, &name, &folder, depth)?;
        }
        let mut files = self.files;
        files.extend(led.files);
        Ok(Files { files, links: self.links, ..led })
    }

    /// What lies in `folder`, a second time as `name`.
    fn expand(
        &self,
        led: &mut Files,
        folders: &mut VecDeque<(String, String, usize)>,
        name: &str,
        folder: &str,
        depth: usize,
    ) -> Result<(), Refused> {
        let within = |outer: &str, inner: &str| {
            outer.is_empty() || inner == outer || inner.starts_with(&format!("{outer}/"))
        };
        if within(folder, name) {
            return Ok(());
        }
        led.linked.insert(name.to_owned());
        let prefix = format!("{folder}/");
        let files = self.files.range(prefix.clone()..).map(|(at, _)| at);
        let files = files.take_while(|at| at.starts_with(&prefix));
        let links = self.links.all.range(prefix.clone()..).map(|(at, _)| at);
        for at in files.chain(links.take_while(|at| at.starts_with(&prefix))) {
            let name = format!("{name}/{}", &at[prefix.len()..]);
            match self.end(at)? {
                End::File(content) => self.put(led, name, content)?,
                End::Folder(next) if within(&next, at) => {}
                End::Folder(next) => folders.push_back((name, next, depth + 1)),
                End::Outside => self.put_outside(led, name)?,
                End::Nowhere => {}
            }
            // Each takes memory and time, though none of them is a file.
            if folders.len() > self.limits.files {
                return Err(Refused::TooMany(self.limits.files));
            }
        }
        Ok(())
    }

    fn put(&self, led: &mut Files, name: String, content: &Bytes) -> Result<(), Refused> {
        led.files.insert(name, content.clone());
        self.counted(led)
    }

    fn put_outside(&self, led: &mut Files, name: String) -> Result<(), Refused> {
        led.outside.insert(name);
        self.counted(led)
    }

    fn counted(&self, led: &Files) -> Result<(), Refused> {
        if self.files.len() + led.files.len() + led.outside.len() > self.limits.files {
            Err(Refused::TooMany(self.limits.files))
        } else {
            Ok(())
        }
    }

    fn end(&self, name: &str) -> Result<End<'_>, Refused> {
        let To::Inside(at) = self.links.follow(name)?.to else { return Ok(End::Outside) };
        Ok(match self.files.get(&at) {
            Some(content) => End::File(content),
            None if self.is_folder(&at) => End::Folder(at),
            None => End::Nowhere,
        })
    }

    fn is_folder(&self, name: &str) -> bool {
        let prefix = format!("{name}/");
        let file = self.files.range(prefix.clone()..).map(|(at, _)| at).next();
        let link = self.links.all.range(prefix.clone()..).map(|(at, _)| at).next();
        name.is_empty() || file.into_iter().chain(link).any(|at| at.starts_with(&prefix))
    }
}

impl Links {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Follows a name as a kernel does: component by component, links as they are met. Of what was not handed over, nobody
    /// knows whether it is a link: it is what it is called.
    pub(super) fn follow(&self, name: &str) -> Result<Way, Refused> {
        let above: Vec<&str> = parts(&self.above).collect();
        let mut ahead: VecDeque<&str> = name.split('/').collect();
        let mut at = above.clone();
        let mut links: Vec<String> = Vec::new();
        let mut shown = None;
        while let Some(part) = ahead.pop_front() {
            match part {
                "" | "." => continue,
                ".." => {
                    if at.pop().is_none() {
                        return Err(Refused::Escape {
                            name: name.into(),
                            target: shown.unwrap_or(name).into(),
                        });
                    }
                    continue;
                }
                part => at.push(part),
            }
            let Some(here) = at.strip_prefix(above.as_slice()).map(|here| here.join("/")) else {
                continue;
            };
            if let Some(Link { from, target }) = self.all.get(&here) {
                links.push(here);
                if links.len() > HOPS {
                    return Err(Refused::Loop(name.into()));
                }
                shown = shown.or(Some(target));
                at = above.iter().copied().chain(parts(from)).collect();
                for part in target.split('/').rev() {
                    ahead.push_front(part);
                }
            }
        }
        let to = match at.strip_prefix(above.as_slice()) {
            Some(inside) => To::Inside(inside.join("/")),
            None => To::Outside(at.join("/")),
        };
        Ok(Way { links, to })
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// A name of plain components, or none: not absolute, nothing that climbs, nothing a kernel would not take.
fn plain(name: &[u8]) -> Result<String, Refused> {
    let refused = || Refused::Name(String::from_utf8_lossy(name).chars().take(200).collect());
    let text = std::str::from_utf8(name).map_err(|_| refused())?;
    if text.starts_with('/') || text.contains('\0') || text.len() > 4096 {
        return Err(refused());
    }
    let mut name = String::with_capacity(text.len());
    for part in text.split('/').filter(|p| !matches!(*p, "" | ".")) {
        if part == ".." || part.len() > 255 {
            return Err(refused());
        }
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(part);
    }
    if name.is_empty() { Err(refused()) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name` is a file; `name -> target` is a link.
    fn files(above: &str, nodes: &[&str]) -> Result<Files, Refused> {
        let mut tree = Tree::new(Limits { files: 50, bytes: 1000 });
        for node in nodes {
            match node.split_once(" -> ") {
                Some((name, target)) => tree.link(name.as_bytes(), target.as_bytes())?,
                None => tree.file(node.as_bytes(), node.as_bytes().to_vec())?,
            }
        }
        tree.finish(above)
    }

    fn tree(nodes: &[&str]) -> Result<Vec<String>, Refused> {
        let shown = |(name, content): (&str, &[u8])| {
            let content = String::from_utf8(content.to_vec()).unwrap();
            if content == name { content } else { format!("{name} = {content}") }
        };
        Ok(files("", nodes)?.iter().map(shown).collect())
    }

    #[test]
    fn links_inside_are_what_they_lead_to() {
        let check = |nodes: &[&str], expected: &[&str]| {
            assert_eq!(tree(nodes).unwrap(), expected, "{nodes:?}");
        };
        check(&["a", "b -> a"], &["a", "b = a"]);
        check(&["d/a", "d/b -> ./a", "c -> d/b"], &["c = d/a", "d/a", "d/b = d/a"]);
        check(&["d/a", "e/b -> ../d/a"], &["d/a", "e/b = d/a"]);
        check(&["d/a", "l -> d"], &["d/a", "l/a = d/a"]);
        check(&["d/a", "l -> d", "m -> l/a"], &["d/a", "l/a = d/a", "m = d/a"]);
        // What lies above the target of a link, not above the link.
        check(
            &["x/d/a", "x/b", "l -> x/d", "m -> l/../b"],
            &["l/a = x/d/a", "m = x/b", "x/b", "x/d/a"],
        );
        check(
            &["d/a", "d/e -> ../f", "f/b", "l -> d"],
            &["d/a", "d/e/b = f/b", "f/b", "l/a = d/a", "l/e/b = f/b"],
        );
        check(&["a", "gone -> nothing"], &["a"]);
        check(&["d/a", "d/self -> .", "d/up -> .."], &["d/a"]);
        check(&["./a", "b//./c"], &["a = ./a", "b/c = b//./c"]);
    }

    #[test]
    fn what_leaves_the_root_is_refused_by_name() {
        let escape =
            |name: &str, target: &str| Refused::Escape { name: name.into(), target: target.into() };
        assert_eq!(tree(&["l -> ../x"]), Err(escape("l", "../x")));
        assert_eq!(tree(&["d/l -> ../../x"]), Err(escape("d/l", "../../x")));
        assert_eq!(tree(&["l -> /etc/passwd"]), Err(escape("l", "/etc/passwd")));
        assert_eq!(tree(&["d/a", "l -> d", "m -> l/../../x"]), Err(escape("m", "l/../../x")));
        assert_eq!(tree(&["d/a", "out -> ../x", "l -> d/../out"]), Err(escape("l", "d/../out")));
        for bad in ["../a", "/a", "a/../b", "", ".", "a\0b", &"n".repeat(256)] {
            assert!(matches!(tree(&[bad]), Err(Refused::Name(_))), "{bad:?}");
        }
        let mut hard = Tree::new(Limits::default());
        hard.hard_link(b"d/l", b"../x").unwrap();
        assert_eq!(hard.finish(""), Err(escape("d/l", "../x")));
    }

    #[test]
    fn a_link_out_of_what_was_handed_over_is_remembered() {
        let nodes = [
            "d/a",
            "d/out -> ../../web/x.yaml",
            "l -> d",
            "up -> ../../common",
            "home -> ../../teams/a/d/a",
            "far -> up/y",
        ];
        let files = files("teams/a", &nodes).unwrap();
        let there: Vec<_> = files.iter().map(|(name, _)| name).collect();
        assert_eq!(there, ["d/a", "home", "l/a"]);
        for (name, expected) in [
            ("d/out", Some("teams/web/x.yaml")),
            ("l/out", Some("teams/web/x.yaml")),
            ("up", Some("common")),
            ("up/y/z", Some("common/y/z")),
            ("far", Some("common/y")),
            ("d/a", None),
            ("home", None),
            ("gone", None),
        ] {
            assert_eq!(files.leads_out(name).as_deref(), expected, "{name}");
        }
        assert_eq!(files.outside_in("d").collect::<Vec<_>>(), ["d/out"]);
        assert_eq!(files.outside_in("").count(), 4);
        // Out of the repository all the same.
        let far = super::tests::files("teams/a", &["d/out -> ../../../../x"]).unwrap_err();
        assert_eq!(far, Refused::Escape { name: "d/out".into(), target: "../../../../x".into() });
    }

    #[test]
    fn it_is_known_what_a_name_was_led_to() {
        let nodes = ["d/a", "l -> m", "m -> d", "f -> l/a", "p", "out -> ../x"];
        let files = files("above", &nodes).unwrap();
        let led_to = |name: &str| files.led_to(name).collect::<Vec<_>>();
        assert_eq!(led_to("l/a"), ["l", "m", "d/a"]);
        assert_eq!(led_to("f"), ["f", "l", "m", "d/a"]);
        assert_eq!(led_to("m"), ["m", "d"]);
        for plain in ["p", "d/a", "gone", "out"] {
            assert_eq!(led_to(plain), [""; 0], "{plain}");
        }
    }

    #[test]
    fn circles_and_floods_end() {
        assert_eq!(tree(&["a -> b", "b -> a"]), Err(Refused::Loop("a".into())));
        let bomb: Vec<String> = (0..9)
            .flat_map(|n| ["x", "y"].map(|l| format!("d{n}/{l} -> ../d{}", n + 1)))
            .chain(["d9/a".into()])
            .collect();
        let bomb: Vec<&str> = bomb.iter().map(String::as_str).collect();
        assert_eq!(tree(&bomb), Err(Refused::TooMany(50)));
        // Two folders, each with a link to the other.
        assert_eq!(
            tree(&["a/f", "a/b -> ../b", "b/f", "b/a -> ../a"]).unwrap(),
            ["a/b/f = b/f", "a/f", "b/a/f = a/f", "b/f"]
        );
        let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
        assert_eq!(
            tree(&many.iter().map(String::as_str).collect::<Vec<_>>()),
            Err(Refused::TooMany(50))
        );
        assert_eq!(
            tree(&[&"l".repeat(250), &"m".repeat(250), &"n".repeat(250), &"o".repeat(250), "p"]),
            Err(Refused::TooLarge(1000))
        );
    }

    #[test]
    fn of_one_name_what_came_last_counts() {
        let mut tree = Tree::new(Limits::default());
        for (name, content) in [("a", "1"), ("z", "2"), ("a", "3"), ("c", "4"), ("a", "5")] {
            tree.file(name.as_bytes(), content).unwrap();
        }
        tree.link(b"b", b"z").unwrap();
        tree.file(b"b", "6").unwrap();
        tree.link(b"c", b"z").unwrap();
        let files = tree.finish("").unwrap();
        let all: Vec<_> = files.iter().collect();
        let expected = [("a", "5"), ("b", "6"), ("c", "2"), ("z", "2")];
        assert_eq!(all, expected.map(|(name, content)| (name, content.as_bytes())));
    }

    #[test]
    fn a_hard_link_is_told_from_the_root() {
        let mut tree = Tree::new(Limits::default());
        tree.file(b"d/a", b"1".to_vec()).unwrap();
        tree.hard_link(b"d/b", b"d/a").unwrap();
        assert_eq!(tree.finish("").unwrap().get("d/b"), Some(b"1".as_slice()));
    }
}
