//! The imports between the modules of a crate, read from its source.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use self::source::Source;

use crate::util::{sources, workspace};

/// The imports between the modules of a crate, or between the submodules of one of its
/// modules, without those in tests and documentation.
pub(super) struct Crate {
    /// The modules, by their names in the root.
    pub(super) modules: BTreeSet<String>,
    /// What they import from each other, in the order of files and lines.
    pub(super) imports: Vec<Import>,
}

/// A path to another module: of a `use`, or inline.
pub(super) struct Import {
    /// `FILE:LINE`.
    pub(super) place: String,
    /// The importing module.
    pub(super) from: String,
    /// What is imported, from the root on. A name that the root re-exports is resolved.
    pub(super) path: Vec<String>,
}

impl Import {
    /// The imported module.
    pub(super) fn to(&self) -> &str {
        &self.path[0]
    }
}

/// The source files of a crate.
pub(super) struct Files {
    dir: PathBuf,
    /// Their paths in the directory, and their text.
    files: Vec<(PathBuf, String)>,
}

impl Files {
    /// Reads the crate whose source is in `dir` of the workspace.
    pub(super) fn read(dir: &str) -> Result<Self> {
        let source = workspace().join(dir);
        let mut files = Vec::new();
        for path in sources(&source)? {
            let text = fs::read_to_string(&path)?;
            files.push((path.strip_prefix(&source)?.to_owned(), text));
        }
        files.sort();
        let dir = dir.into();
        Ok(Self { dir, files })
    }
}

impl Crate {
    /// The imports between the top-level modules.
    pub(super) fn parse(files: &Files) -> Result<Self> {
        Self::parse_module(files, &[])
    }

    /// Those between the submodules of the top-level module `name`.
    pub(super) fn parse_submodules(files: &Files, name: &str) -> Result<Self> {
        Self::parse_module(files, &[name.to_owned()])
    }

    fn parse_module(Files { dir, files }: &Files, parent: &[String]) -> Result<Self> {
        let mut root = Source::default();
        let mut others = Vec::new();
        for (path, text) in files {
            let module = module(path);
            let Some(name) = module.strip_prefix(parent) else {
                continue;
            };
            let path = dir.join(path).display().to_string();
            let source = Source::parse(text, &module).context(path.clone())?;
            match name.first() {
                None => root = source,
                Some(name) => others.push((path, name.clone(), module, source)),
            }
        }
        let tests: Vec<&Vec<String>> = others.iter().flat_map(|(.., it)| &it.tests).collect();
        let tests: Vec<_> = tests.into_iter().chain(&root.tests).collect();
        let root = Root::new(&root, parent);
        let mut imports = Vec::new();
        for (path, name, module, source) in &others {
            if tests.iter().any(|test| module.starts_with(test)) {
                continue;
            }
            for used in &source.paths {
                let Some(relative) = used.path.strip_prefix(parent) else {
                    continue;
                };
                let place = format!("{path}:{}", used.line);
                ensure!(
                    relative.first().is_none_or(|first| first != "*"),
                    "{place}: import each item from its module, not all of the root"
                );
                if let Some(path) = root.resolve(relative).filter(|path| path[0] != *name) {
                    let from = name.clone();
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

/// The module that declares those whose imports are read.
struct Root {
    modules: BTreeSet<String>,
    /// What it re-exports from them: the names, and the paths to the items.
    reexported: BTreeMap<String, Vec<String>>,
}

impl Root {
    fn new(source: &Source, path: &[String]) -> Self {
        let declared = source.modules.iter().filter_map(|it| it.strip_prefix(path));
        let modules: BTreeSet<String> = declared.filter_map(|it| it.first().cloned()).collect();
        let mut reexported = BTreeMap::new();
        for used in source.uses.iter().chain(&source.paths) {
            let Some(path) = used.path.strip_prefix(path) else {
                continue;
            };
            if path.first().is_some_and(|name| modules.contains(name)) {
                reexported.insert(used.name.clone(), path.to_owned());
            }
        }
        Self {
            modules,
            reexported,
        }
    }

    /// Where a path leads to: `None` for an item of the root, or of another crate.
    fn resolve(&self, path: &[String]) -> Option<Vec<String>> {
        let (name, rest) = path.split_first()?;
        if self.modules.contains(name) {
            return Some(path.to_owned());
        }
        Some([self.reexported.get(name)?, rest].concat())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A crate in `src`, of files with their text.
    pub(in super::super) fn of_files(files: &[(&str, &str)]) -> Crate {
        Crate::parse(&files_of(files)).unwrap()
    }

    pub(in super::super) fn files_of(files: &[(&str, &str)]) -> Files {
        let files = files
            .iter()
            .map(|(path, text)| (path.into(), (*text).to_owned()));
        Files {
            dir: "src".into(),
            files: files.collect(),
        }
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
        let error = Crate::parse(&files_of(&files)).err().unwrap();
        assert!(error.to_string().starts_with("src/a.rs:2: "), "{error}");
    }

    #[test]
    fn imports_within_a_module_are_its_own() {
        let text = "use super::y::Y;\nuse crate::a::Z;\npub(in crate::a) struct X;";
        assert!(imports("mod a;", "a/x.rs", text).is_empty());
    }

    #[test]
    fn imports_between_submodules_are_read_in_their_module() {
        let files = files_of(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod x; mod y; pub use y::Y; pub struct A;"),
            (
                "a/x.rs",
                "use super::{A, Y};\nuse crate::b::B;\nuse crate::a::y::Z;",
            ),
            ("a/x/deep.rs", "use super::super::y::W;"),
            ("b.rs", "use crate::a::Y;"),
        ]);
        let imports = Crate::parse_submodules(&files, "a").unwrap().imports;
        let shown = imports.iter().map(|import| {
            let (place, from) = (&import.place, &import.from);
            format!("{place} {from} {}", import.path.join("::"))
        });
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                "src/a/x.rs:1 x y::Y",
                "src/a/x.rs:3 x y::Z",
                "src/a/x/deep.rs:1 x y::W"
            ]
        );
    }
}
