//! The command line.

use clap::{Args, Parser, Subcommand};

use crate::image::Image;

/// vmwright's own tool: guest images, VM tests, checks.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Builds guest images, and prints their directories
    Image(ImageFlags),
}

#[derive(Debug, Args)]
pub(crate) struct ImageFlags {
    /// The image
    #[arg(value_enum, required_unless_present = "all")]
    pub(crate) name: Option<Image>,
    /// Builds all images
    #[arg(long, conflicts_with = "name")]
    pub(crate) all: bool,
    /// Installs missing host packages without asking
    #[arg(long)]
    pub(crate) yes: bool,
}
