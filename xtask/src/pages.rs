//! Pages about algorithms, made from the documentation of their modules: `docs/algorithms`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One page: its file, its first lines, the folder of the modules, and these in their order.
struct Page {
    file: &'static str,
    head: &'static str,
    folder: &'static str,
    modules: &'static [&'static str],
}

const PAGES: &[Page] = &[
    Page {
        file: "congestion.md",
        head: "# Congestion control\n\nNamed by `flows.N.congestion_control` or a host's sysctl \
               `net.ipv4.tcp_congestion_control`; parameters by `flows.N.congestion_parameters` or a \
               host's `module_parameters`. The names are those of `mptcpsim list congestion-controls`.\n",
        folder: "models/src/congestion",
        modules: &["reno", "cubic", "lia", "olia", "balia", "wvegas", "bbr", "ewtcp"],
    },
    Page {
        file: "schedulers.md",
        head: "# Schedulers\n\nNamed by `flows.N.mptcp.scheduler` or a host's sysctl \
               (`net.mptcp.scheduler` upstream, `net.mptcp.mptcp_scheduler` out of tree); parameters by \
               `flows.N.mptcp.scheduler_parameters` or a host's `module_parameters`. Any scheduler \
               runs with either stack. The names are those of `mptcpsim list schedulers`.\n",
        folder: "models/src/scheduler",
        modules: &[
            "upstream",
            "lowest_rtt",
            "relief",
            "round_robin",
            "redundant",
            "blest",
            "ecf",
            "otias",
            "sttf",
            "daps",
        ],
    },
    Page {
        file: "path-managers.md",
        head: "# Path managers\n\nNamed by `flows.N.mptcp.path_manager` or a host's sysctl \
               (`net.mptcp.path_manager` or `net.mptcp.pm_type` upstream, \
               `net.mptcp.mptcp_path_manager` out of tree); parameters by \
               `flows.N.mptcp.path_manager_parameters` or a host's `module_parameters`. All but \
               `endpoints` run with either stack. The names are those of `mptcpsim list \
               path-managers`. A timeline changes endpoints (`endpoint`), limits (`limits`) and \
               interfaces (`up`, `multipath`) of a host while connections run.\n",
        folder: "models/src/path_manager",
        modules: &[
            "endpoints",
            "fullmesh",
            "ndiffports",
            "binder",
            "userspace/mod",
            "userspace/mptcpd",
            "userspace/plugins",
        ],
    },
];

/// The pages and where they belong, seen from the folder of the project.
fn pages(project: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let page = |page: &Page| {
        let mut text = page.head.to_owned();
        for module in page.modules {
            let source = project.join(page.folder).join(format!("{module}.rs"));
            text.push_str(&section(&fs::read_to_string(source)?));
        }
        Ok((project.join("docs/algorithms").join(page.file), text))
    };
    PAGES.iter().map(page).collect()
}

/// Writes all pages.
pub(crate) fn write(project: &Path) -> io::Result<()> {
    for (file, text) in pages(project)? {
        fs::create_dir_all(file.parent().unwrap_or(project))?;
        fs::write(file, text)?;
    }
    Ok(())
}

/// The documentation of a module under its first line, and its parameters as a table.
fn section(source: &str) -> String {
    let docs = source.lines().map_while(|line| line.strip_prefix("//!"));
    let mut docs = docs.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let title = docs.next().unwrap_or("").trim_end_matches('.');
    let body = docs.map(plain).collect::<Vec<_>>().join("\n");
    format!("\n## {title}\n\n{}\n{}", body.trim(), parameters(source))
}

/// Links to items lead nowhere on a page: their names stay.
fn plain(line: &str) -> String {
    line.replace("[`", "`").replace("`]", "`")
}

/// The table of the parameters that a `params!` block declares.
fn parameters(source: &str) -> String {
    let block = source.split("params! {").nth(1).and_then(|rest| rest.split("\n}").next());
    let lines = block.unwrap_or("").lines().map(str::trim).collect::<Vec<_>>();
    let rows = lines.windows(2).filter_map(|pair| {
        let (name, rest) = pair[0].split_once(": ")?;
        let (_, value) = rest.split_once(" = ")?;
        let (default, range) = value.trim_end_matches(',').split_once(", ")?;
        let doc = pair[1].trim_matches(['"', ';']);
        Some(format!("| `{name}` | {default} | {} | {doc} |\n", range.replace("..=", " to ")))
    });
    let rows = rows.collect::<String>();
    if rows.is_empty() {
        return rows;
    }
    format!("\n| parameter | default | range | |\n|---|---|---|---|\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_those_of_the_sources() {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (file, text) in pages(&project).unwrap() {
            let found = fs::read_to_string(&file).unwrap_or_default();
            assert!(found == text, "{} is old: run `cargo xtask pages`", file.display());
        }
    }

    #[test]
    fn a_section_has_title_text_and_parameters() {
        let source = "//! X, an algorithm.\n//!\n//! See [`Y`].\n\nparams! {\n    pub struct Params {\n        \
                      a: u32 = 2, 0..=9,\n            \"the a\";\n    }\n}\n";
        let table =
            "| parameter | default | range | |\n|---|---|---|---|\n| `a` | 2 | 0 to 9 | the a |\n";
        assert_eq!(section(source), format!("\n## X, an algorithm\n\nSee `Y`.\n\n{table}"));
    }
}
