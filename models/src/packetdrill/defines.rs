//! Words that stand for something else: `--define=NAME=VALUE`.
//!
//! packetdrill's test suites leave to the command line what depends on the
//! family of addresses or on keys of the kernel.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// What the runners of the public suites define: the level and type of IPv4's error messages.
const USUAL: [(&str, &str); 2] = [("CMSG_LEVEL_IP", "SOL_IP"), ("CMSG_TYPE_RECVERR", "IP_RECVERR")];

/// `text` with the words of `defines`, and those that it defines itself, replaced.
pub(super) fn replaced<'t>(text: &'t str, defines: &[(String, String)]) -> Cow<'t, str> {
    let own = text.lines().filter_map(|line| line.strip_prefix("--define=")?.split_once('='));
    let given = defines.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let words: BTreeMap<&str, &str> = USUAL
        .into_iter()
        .chain(own.map(|(name, value)| (name, value.trim())))
        .chain(given)
        .collect();
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let len = rest[start..].find(|c| !is_word(c)).unwrap_or(rest.len() - start);
        let (before, word) = (&rest[..start], &rest[start..start + len]);
        out += before;
        let named = out.ends_with("--define=");
        out += words.get(word).filter(|_| !named).unwrap_or(&word);
        rest = &rest[start + len..];
    }
    out += rest;
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_are_replaced() {
        let defines = [("COOKIE".to_owned(), "0a0b".to_owned())];
        assert_eq!(replaced("<FO COOKIE, COOKIE_2>", &defines), "<FO 0a0b, COOKIE_2>");
        assert_eq!(replaced("--define=X=7\n0 f(X) = X", &[]), "--define=X=7\n0 f(7) = 7");
    }
}
