//! The paths in a source file.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// What one file has.
#[derive(Default)]
pub(super) struct Source {
    /// The modules that it declares, without those of tests.
    pub(super) modules: Vec<Vec<String>>,
    /// The modules of tests that it declares.
    pub(super) tests: Vec<Vec<String>>,
    /// The paths that begin with `crate` or `super`, absolute.
    pub(super) paths: Vec<Used>,
    /// All other paths of its `use` declarations, as if they began in this module.
    pub(super) uses: Vec<Used>,
}

/// A path, and the name that it gets here.
pub(super) struct Used {
    pub(super) path: Vec<String>,
    pub(super) name: String,
    pub(super) line: usize,
}

impl Source {
    pub(super) fn parse(text: &str, module: &[String]) -> Result<Self> {
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
        let path = [module, &[name.to_string()]].concat();
        self.modules.push(path.clone());
        match body {
            [TokenTree::Group(group), tail @ ..] => {
                self.read(group.stream(), &path);
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
