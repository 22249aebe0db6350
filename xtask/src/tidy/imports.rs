//! The imports between the modules of a crate, read from its source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

use crate::util::{sources, workspace};

/// The imports between a crate's own modules, without those in tests and documentation.
pub(super) struct Crate {
    /// The top-level modules.
    pub(super) modules: BTreeSet<String>,
    /// What they import from each other, in the order of files and lines.
    pub(super) imports: Vec<Import>,
}

/// A path to another top-level module: of a `use`, or inline.
pub(super) struct Import {
    /// `FILE:LINE`.
    pub(super) place: String,
    /// The importing top-level module.
    pub(super) from: String,
    /// What is imported, without `crate`. A name that the crate's root re-exports is resolved.
    pub(super) path: Vec<String>,
}

impl Import {
    /// The imported top-level module.
    pub(super) fn to(&self) -> &str {
        &self.path[0]
    }
}

impl Crate {
    /// Reads the crate whose source is in `dir` of the workspace.
    pub(super) fn read(dir: &str) -> Result<Self> {
        let source = workspace().join(dir);
        let mut files = Vec::new();
        for path in sources(&source)? {
            let text = fs::read_to_string(&path)?;
            files.push((path.strip_prefix(&source)?.to_owned(), text));
        }
        files.sort();
        Self::parse(Path::new(dir), &files)
    }

    /// The same from the text of files, by their paths in `dir`.
    pub(super) fn parse(dir: &Path, files: &[(PathBuf, String)]) -> Result<Self> {
        let mut root = Source::default();
        let mut others = Vec::new();
        for (path, text) in files {
            let path = dir.join(path).display().to_string();
            let module = module(Path::new(&path).strip_prefix(dir)?);
            let source = Source::parse(text, &module).context(path.clone())?;
            if module.is_empty() {
                root = source;
            } else {
                others.push((path, module, source));
            }
        }
        let tests: Vec<&Vec<String>> = others.iter().flat_map(|(.., it)| &it.tests).collect();
        let reexported = root.reexported();
        let mut imports = Vec::new();
        for (path, module, source) in &others {
            if tests.iter().any(|test| module.starts_with(test)) {
                continue;
            }
            for used in &source.paths {
                let place = format!("{path}:{}", used.line);
                ensure!(
                    used.path[0] != "*",
                    "{place}: import each item from its module, not all of the root"
                );
                let path = root.resolve(&used.path, &reexported);
                if let Some(path) = path.filter(|path| path[0] != module[0]) {
                    let from = module[0].clone();
                    imports.push(Import { place, from, path });
                }
            }
        }
        let modules = root.modules;
        Ok(Self { modules, imports })
    }
}

/// The module that a file contains: `host/vlan.rs` → `host::vlan`, and the root is empty.
fn module(path: &Path) -> Vec<String> {
    let path = path.with_extension("");
    let names = path.iter().map(|name| name.to_string_lossy().into_owned());
    let names: Vec<String> = names.collect();
    match &names[..] {
        [root] if root == "lib" || root == "main" => Vec::new(),
        _ => names,
    }
}

/// What one file has.
#[derive(Default)]
struct Source {
    /// The modules that it declares, if it is the root, without those of tests.
    modules: BTreeSet<String>,
    /// The modules of tests that it declares.
    tests: Vec<Vec<String>>,
    /// The paths that begin with `crate` or `super`, absolute.
    paths: Vec<Used>,
    /// All other paths of its `use` declarations.
    uses: Vec<Used>,
}

/// A path, and the name that it gets here.
struct Used {
    path: Vec<String>,
    name: String,
    line: usize,
}

impl Source {
    fn parse(text: &str, module: &[String]) -> Result<Self> {
        let mut source = Self::default();
        let tokens = text.parse().map_err(|error| anyhow!("{error}"))?;
        source.read(tokens, module);
        Ok(source)
    }

    /// Reads the tokens of a module.
    fn read(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = &tokens[..];
        while let [first, tail @ ..] = rest {
            rest = match (first, tail) {
                (TokenTree::Punct(it), [TokenTree::Group(attribute), tail @ ..])
                    if it.as_char() == '#' && is_cfg_test(attribute) =>
                {
                    self.skip_test(tail, module)
                }
                (TokenTree::Ident(it), [TokenTree::Ident(name), tail @ ..]) if it == "mod" => {
                    self.read_module(name, tail, module)
                }
                (TokenTree::Ident(it), _) if it == "crate" => follow(rest, &[], &mut self.paths),
                (TokenTree::Ident(it), _) if it == "super" => follow(rest, module, &mut self.paths),
                (TokenTree::Ident(it), [TokenTree::Ident(next), ..])
                    if it == "use" && (next == "crate" || next == "super") =>
                {
                    tail
                }
                (TokenTree::Ident(it), _) if it == "use" => {
                    follow(tail, module, &mut self.uses);
                    tail // again: a group may have paths that begin with `crate`
                }
                (TokenTree::Group(group), _) => {
                    self.read(group.stream(), module);
                    tail
                }
                _ => tail,
            };
        }
    }

    fn read_module<'a>(
        &mut self,
        name: &Ident,
        body: &'a [TokenTree],
        module: &[String],
    ) -> &'a [TokenTree] {
        if module.is_empty() {
            self.modules.insert(name.to_string());
        }
        match body {
            [TokenTree::Group(group), tail @ ..] => {
                self.read(group.stream(), &[module, &[name.to_string()]].concat());
                tail
            }
            _ => body,
        }
    }

    /// Skips the item after `#[cfg(test)]`.
    fn skip_test<'a>(&mut self, tokens: &'a [TokenTree], module: &[String]) -> &'a [TokenTree] {
        let is_end = |token: &TokenTree| match token {
            TokenTree::Punct(it) => it.as_char() == ';',
            TokenTree::Group(it) => it.delimiter() == Delimiter::Brace,
            _ => false,
        };
        let end = tokens.iter().position(is_end).unwrap_or(tokens.len());
        let (item, rest) = tokens.split_at(end);
        if let [.., TokenTree::Ident(keyword), TokenTree::Ident(name)] = item
            && keyword == "mod"
        {
            self.tests.push([module, &[name.to_string()]].concat());
        }
        rest.get(1..).unwrap_or_default()
    }

    /// Where a path leads to, in a root: `None` for an item of its own, or of another crate.
    fn resolve(
        &self,
        path: &[String],
        reexported: &BTreeMap<String, Vec<String>>,
    ) -> Option<Vec<String>> {
        let (name, rest) = path.split_first()?;
        if self.modules.contains(name) {
            return Some(path.to_owned());
        }
        Some([reexported.get(name)?, rest].concat())
    }

    /// What a root re-exports from its modules: the names, and the paths to the items.
    fn reexported(&self) -> BTreeMap<String, Vec<String>> {
        let of_modules = self.uses.iter().chain(&self.paths).filter(|it| {
            it.path
                .first()
                .is_some_and(|name| self.modules.contains(name))
        });
        of_modules
            .map(|it| (it.name.clone(), it.path.clone()))
            .collect()
    }
}

fn is_cfg_test(attribute: &Group) -> bool {
    let text = attribute.stream().to_string().replace(' ', "");
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

/// Adds the paths that begin with the first token, relative to the path `from`, and gives the
/// tokens after them.
fn follow<'a>(tokens: &'a [TokenTree], from: &[String], found: &mut Vec<Used>) -> &'a [TokenTree] {
    let mut path = from.to_owned();
    let mut rest = tokens;
    let mut line = 0;
    while let [segment, tail @ ..] = rest {
        line = segment.span().start().line;
        match segment {
            TokenTree::Ident(it) if it == "crate" => path.clear(),
            TokenTree::Ident(it) if it == "super" => drop(path.pop()),
            TokenTree::Ident(it) if it == "self" => {}
            TokenTree::Ident(it) => path.push(it.to_string()),
            TokenTree::Punct(it) if it.as_char() == '*' => path.push("*".to_owned()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let branches: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in branches.split(|token| is_punct(token, ',')) {
                    follow(branch, &path, found);
                }
                return tail;
            }
            _ => break, // a path's type arguments
        }
        rest = match tail {
            [one, other, tail @ ..] if is_punct(one, ':') && is_punct(other, ':') => tail,
            _ => {
                rest = tail;
                break;
            }
        };
    }
    let name = match rest {
        [TokenTree::Ident(it), TokenTree::Ident(name), ..] if it == "as" => Some(name.to_string()),
        _ => path.last().cloned(),
    };
    if let Some(name) = name.filter(|_| !path.is_empty()) {
        found.push(Used { path, name, line });
    }
    rest
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(it) if it.as_char() == char)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A crate in `src`, of files with their text.
    pub(in super::super) fn of_files(files: &[(&str, &str)]) -> Crate {
        let files = files
            .iter()
            .map(|(path, text)| (path.into(), (*text).to_owned()));
        let files: Vec<(PathBuf, String)> = files.collect();
        Crate::parse(Path::new("src"), &files).unwrap()
    }

    /// The imports of a file beside a root: their lines, and what is imported.
    fn imports(root: &str, file: &str, text: &str) -> Vec<String> {
        let imports = of_files(&[("lib.rs", root), (file, text)]).imports;
        let shown = imports.iter().map(|import| {
            let line = import.place.rsplit(':').next().unwrap();
            format!("{line} {}", import.path.join("::"))
        });
        shown.collect()
    }

    #[test]
    fn imports_are_found_in_groups_inline_and_by_super() {
        let root = "mod a; mod b; mod c;";
        let use_one = "use crate::b::X;\nuse super::c::Y as Z;\nuse std::c;";
        assert_eq!(imports(root, "a.rs", use_one), ["1 b::X", "2 c::Y"]);
        let grouped = "use crate::{\n    b::{X, y::*},\n    c,\n};";
        assert_eq!(
            imports(root, "a.rs", grouped),
            ["2 b::X", "2 b::y::*", "3 c"]
        );
        let inline = "fn f() {\n    crate::b::g::<u8>(super::super::c::h())\n}";
        assert_eq!(imports(root, "a/x.rs", inline), ["2 b::g", "2 c::h"]);
        let in_module = "mod x { use super::super::b::X; }";
        assert_eq!(imports(root, "a.rs", in_module), ["1 b::X"]);
        let in_outer_group = "use {crate::b::X, std::io};";
        assert_eq!(imports(root, "a.rs", in_outer_group), ["1 b::X"]);
    }

    #[test]
    fn names_of_the_root_are_those_of_their_modules() {
        let root = "mod a; mod b; pub use b::{x::X, Y as Z}; pub use other::W;";
        let text = "use crate::{X, Z, W};\npub(crate) fn f(_: crate::X) {}";
        assert_eq!(
            imports(root, "a.rs", text),
            ["1 b::x::X", "1 b::Y", "2 b::x::X"]
        );
    }

    #[test]
    fn comments_documentation_text_and_tests_import_nothing() {
        let root = "mod a; mod b;";
        let text = r#"
            //! As [`crate::b`].
            // use crate::b::X;
            /// As [X](crate::b::X).
            const TEXT: &str = "crate::b::X";
            #[cfg(test)]
            mod tests { use crate::b::X; }
            #[cfg(all(test, feature = "c"))]
            use crate::b::Y;
            mod own;
        "#;
        assert!(imports(root, "a.rs", text).is_empty());
        let tests = "use crate::b::X;";
        let files = [
            ("lib.rs", root),
            ("a.rs", "#[cfg(test)]\npub(crate) mod trials;"),
            ("a/trials.rs", tests),
        ];
        assert!(of_files(&files).imports.is_empty());
        assert_eq!(imports(root, "a/trials.rs", tests), ["1 b::X"]);
    }

    #[test]
    fn all_of_the_root_can_not_be_imported() {
        let files = [("lib.rs", "mod a;"), ("a.rs", "\nuse super::*;")];
        let files = files.map(|(path, text)| (path.into(), text.to_owned()));
        let error = Crate::parse(Path::new("src"), &files).err().unwrap();
        assert!(error.to_string().starts_with("src/a.rs:2: "), "{error}");
    }

    #[test]
    fn imports_within_a_module_are_its_own() {
        let text = "use super::y::Y;\nuse crate::a::Z;\npub(in crate::a) struct X;";
        assert!(imports("mod a;", "a/x.rs", text).is_empty());
    }
}
