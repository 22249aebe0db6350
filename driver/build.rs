//! Adds the directory of the libpython that the program is linked with to its rpath, as it
//! may not be on the system's library path.

fn main() {
    #[cfg(feature = "python")]
    pyo3_build_config::add_libpython_rpath_link_args();
}
