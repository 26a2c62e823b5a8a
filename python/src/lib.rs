//! The extension module of the Python package `mptcpsim`.
//!
//! It converts and holds no simulation logic: scenarios come in as JSON, runs go on without the
//! interpreter lock, results go out as Arrow columns. What a user of Python sees is in the Python
//! sources beside this crate.
//!
//! ```text
//! mptcpsim (Python) ─► _mptcpsim ─► mptcpsim, mptcpsim-models (Rust)
//! ```

mod errors;
mod gym;
#[cfg(target_os = "linux")]
mod live;
mod outcome;
mod plan;
mod policy;
mod simulation;
mod state;
mod sweep;
mod table;
mod tools;
mod validate;
mod watch;

use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Converts between the Python package and the simulator.
#[pymodule]
fn _mptcpsim(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<gym::Environments>()?;
    module.add_class::<outcome::Outcome>()?;
    module.add_class::<plan::Plan>()?;
    module.add_class::<policy::AppViewObject>()?;
    module.add_class::<policy::AskView>()?;
    module.add_class::<policy::CongestionFlow>()?;
    module.add_class::<policy::EventView>()?;
    module.add_class::<policy::PathsViewObject>()?;
    module.add_class::<policy::SchedulerView>()?;
    module.add_class::<policy::SegmentObject>()?;
    module.add_class::<policy::SubflowPath>()?;
    module.add_class::<policy::SubflowState>()?;
    module.add_class::<policy::WindowView>()?;
    module.add_class::<simulation::Simulation>()?;
    module.add_class::<sweep::Design>()?;
    module.add_class::<sweep::Stop>()?;
    module.add_class::<table::Column>()?;
    module.add_class::<table::Table>()?;
    #[cfg(target_os = "linux")]
    module.add_function(wrap_pyfunction!(live::live, module)?)?;
    module.add_function(wrap_pyfunction!(outcome::run, module)?)?;
    module.add_function(wrap_pyfunction!(plan::check, module)?)?;
    module.add_function(wrap_pyfunction!(plan::read, module)?)?;
    module.add_function(wrap_pyfunction!(sweep::pictures, module)?)?;
    module.add_function(wrap_pyfunction!(sweep::report, module)?)?;
    module.add_function(wrap_pyfunction!(table::table_of_csv, module)?)?;
    module.add_function(wrap_pyfunction!(table::table_of_ipc, module)?)?;
    module.add_function(wrap_pyfunction!(tools::bits_per_second, module)?)?;
    module.add_function(wrap_pyfunction!(tools::capable, module)?)?;
    module.add_function(wrap_pyfunction!(tools::columns, module)?)?;
    module.add_function(wrap_pyfunction!(tools::explain, module)?)?;
    module.add_function(wrap_pyfunction!(tools::main, module)?)?;
    module.add_function(wrap_pyfunction!(tools::packetdrill, module)?)?;
    module.add_function(wrap_pyfunction!(tools::parameters, module)?)?;
    module.add_function(wrap_pyfunction!(tools::replay_cc, module)?)?;
    module.add_function(wrap_pyfunction!(tools::sysctls, module)?)?;
    module.add_function(wrap_pyfunction!(tools::schema, module)?)?;
    module.add_function(wrap_pyfunction!(tools::seconds, module)?)?;
    module.add_function(wrap_pyfunction!(tools::shipped, module)?)?;
    module.add_function(wrap_pyfunction!(tools::toml_of, module)?)?;
    module.add_function(wrap_pyfunction!(validate::compare_measured, module)?)?;
    #[cfg(target_os = "linux")]
    module.add_function(wrap_pyfunction!(validate::kernels::compare, module)?)?;
    module.add_function(wrap_pyfunction!(validate::measured, module)?)?;
    Ok(())
}
