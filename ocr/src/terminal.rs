//! Monospaced text anywhere on a screen.

mod align;
pub(crate) mod cells;
mod frames;
pub(crate) mod grid;
mod line;
mod pitch;
pub(crate) mod read;
mod sample;
mod shapes;
mod votes;
