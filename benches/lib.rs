//! Benches of mptcpsim; see the files beside this one.
