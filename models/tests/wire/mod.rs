//! Segments to bytes and back: laws that hold for any segment and any bytes, and rules one by one.

mod damage;
mod laws;
mod rules;
mod strategies;
