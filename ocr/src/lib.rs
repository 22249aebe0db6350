#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod console;
mod error;
mod image;
mod png;
mod ppm;

pub use error::Error;
pub use image::Image;
