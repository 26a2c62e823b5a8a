//! Ready networks: a scenario with `topology` and `traffic` becomes one with links, hosts, paths and flows.
//!
//! ```text
//! Shape ─► Graph (nodes, cables) ─┐
//! Matrix ─► pairs of hosts ───────┴─► paths by Selection ─► links, hosts, paths, flows
//! ```

mod expand;
mod graph;
mod matrix;
mod shapes;

pub(crate) use expand::expand;
