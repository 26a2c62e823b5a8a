//! Scenarios measured on real kernels: built, simulated, compared.

pub(crate) mod boxes;
pub(crate) mod compare;
pub(crate) mod measure;
pub(crate) mod rig;
